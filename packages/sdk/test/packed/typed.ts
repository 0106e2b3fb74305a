// A program of somebody else's, in strict TypeScript. It is compiled, not run: by packed.test.ts against the package, and by
// `npm run check` against the sources.
import {
  type AssayFetchOptions,
  assayFetch,
  type ChatResult,
  createAssay,
  SdkError,
  type SdkErrorCode,
} from '@assay/sdk'
import type { createAssayProvider } from '@assay/sdk/ai'
import type { ChatAssay } from '@assay/sdk/langchain'
import type { RunningProxy, startProxy } from '@assay/sdk/proxy'

type Hex = `0x${string}`
/** Whether two types are the same one, which `any` is with no other. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type IsAny<T> = 0 extends 1 & T ? true : false

export const same: [
  Same<ChatResult['transactionHash'], Hex | null>,
  Same<ChatResult['receipt']['price'], bigint>,
  Same<ChatResult['report']['steps'][number]['outcome'], 'passed' | 'failed' | 'skipped'>,
  Same<ChatResult['bundle']['response']['body'], Uint8Array>,
  Same<ChatResult['chatOutput']['content'], string>,
  Same<AssayFetchOptions['privateKey'], Hex | undefined>,
  Same<SdkError['code'], SdkErrorCode>,
  Same<ReturnType<typeof assayFetch>, typeof fetch>,
  Same<ReturnType<typeof startProxy>, Promise<RunningProxy>>,
] = [true, true, true, true, true, true, true, true, true]

export const known: [
  IsAny<ReturnType<ReturnType<typeof createAssayProvider>>['doGenerate']>,
  IsAny<ReturnType<ReturnType<typeof createAssayProvider>>>,
  IsAny<ChatAssay['invoke']>,
  IsAny<ConstructorParameters<typeof ChatAssay>[0]['model']>,
] = [false, false, false, false]

export async function ask(networkPath: string, privateKey: Hex): Promise<string> {
  const { llm, network } = createAssay({ networkPath, privateKey, maxPerCall: 10n ** 18n })
  // @ts-expect-error an amount is a bigint
  createAssay({ network, privateKey, maxPerCall: 1 })
  // @ts-expect-error no such option
  assayFetch({ network, privateKey, maxPerCal: 1n })
  try {
    const stream = await llm.stream({ model: 'm', messages: [{ role: 'user', content: 'Hello' }] })
    for await (const text of stream) console.log(text.toUpperCase())
    const { receipt, transactionHash } = await stream.result
    return transactionHash ?? receipt.requestId
  } catch (error) {
    if (error instanceof SdkError && error.code === 'over_limit') return error.shortMessage
    throw error
  }
}
