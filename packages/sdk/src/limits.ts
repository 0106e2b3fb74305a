import { concatBytes } from '@assay/protocol'
import { SdkError, type SdkErrorCode } from './errors.ts'

/** Longest request and answer that are held in memory to be hashed, bytes. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024

/** Longest line of an event stream, bytes; a longer one is no answer of a model. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024

/**
 * Body of a request or response, read no further than the bound.
 * @param code of the error where it is longer: of a request nothing was sent, an answer may be paid for
 * @throws SdkError
 */
export async function readBounded(
  message: { body: AsyncIterable<Uint8Array> | null },
  code: SdkErrorCode,
  maxBytes = MAX_BODY_BYTES,
): Promise<Uint8Array<ArrayBuffer>> {
  if (message.body === null) return new Uint8Array()
  const parts: Uint8Array[] = []
  let total = 0
  for await (const part of message.body) {
    total += part.length
    if (total > maxBytes) {
      throw new SdkError('The body is larger than this client accepts.', {
        code,
        facts: { maxBytes },
      })
    }
    parts.push(part)
  }
  return new Uint8Array(concatBytes(parts))
}
