import { INFERENCE_PATHS, type Network, quoteMaximum, readIntent } from '@assay/protocol'
import type { Asked } from './asked.ts'
import type { ChainReader } from './chainReader.ts'
import { SdkError } from './errors.ts'

/**
 * The most that a request may cost by the price its publisher put on the chain, OPG base units: what a gateway may ask
 * for and no more. Undefined where the body cannot be read or the model has no price; the gateway or node says why.
 * @throws SdkError `unreachable`
 */
export async function quotedByRegistry(
  network: Network,
  chain: ChainReader,
  { pathname, body, modelId }: Pick<Asked, 'pathname' | 'body' | 'modelId'>,
): Promise<bigint | undefined> {
  const route = Object.hasOwn(INFERENCE_PATHS, pathname) ? INFERENCE_PATHS[pathname] : undefined
  if (route === undefined) return undefined
  const lengthOf = (name: string) => network.models.find((entry) => entry.name === name)?.contextLength
  const read = readIntent(route, body, lengthOf)
  if ('problem' in read) return undefined
  const row = await chain.priceOf(modelId).catch((cause: unknown) => {
    throw new SdkError('The chain could not be read, so the price cannot be checked; nothing is paid.', {
      code: 'unreachable',
      next: 'Check the rpcUrl of the network file.',
      cause,
    })
  })
  return row === undefined ? undefined : quoteMaximum(row, body.length, read.intent.maxOutput)
}
