import { SdkError } from './errors.ts'
import { jsonObjectIn } from './jsonObject.ts'
import { readBounded } from './limits.ts'
import { QUOTE_PATIENCE_MS, within } from './send.ts'

/** Whom documents about an enclave are asked of. Nothing that it says is believed. */
export type Source = { name: 'gateway' | 'node'; url: string }

export const MAX_DOCUMENT_BYTES = 262_144

/** A document as it is. @throws SdkError `unreachable` | `not_confidential` where there is none */
export async function getDocument(source: Source, path: string, caller: AbortSignal): Promise<Uint8Array> {
  const url = new URL(path, source.url).href
  const { answer, bytes } = await within(QUOTE_PATIENCE_MS, caller, async (signal) => {
    const answer = await fetch(url, { redirect: 'error', signal })
    if (answer.ok) return { answer, bytes: await readBounded(answer, 'gateway_error', MAX_DOCUMENT_BYTES) }
    void answer.body?.cancel()
    return { answer, bytes: undefined }
  }).catch((cause: unknown) => {
    if (caller.aborted || cause instanceof SdkError) throw cause
    throw new SdkError(`The ${source.name} does not answer.`, {
      code: 'unreachable',
      facts: { url },
      next: 'Start the network with: npm start',
      cause,
    })
  })
  if (bytes !== undefined) return bytes
  throw new SdkError(`The ${source.name} offers no enclave to encrypt to.`, {
    code: 'not_confidential',
    facts: { url, status: answer.status },
    next: 'Ask again when a node with an admitted key is up: assay status',
  })
}

/** A document that is a JSON object; undefined where it is none. @throws SdkError */
export async function getJsonDocument(
  source: Source,
  path: string,
  caller: AbortSignal,
): Promise<object | undefined> {
  return jsonObjectIn(await getDocument(source, path, caller))
}
