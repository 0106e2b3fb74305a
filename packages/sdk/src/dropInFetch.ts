import { errorBody } from '@assay/protocol'
import { asDialectError } from './asDialectError.ts'
import type { AssayFetchOptions } from './assayFetch.ts'
import { SdkError, type SdkErrorCode } from './errors.ts'
import type { VerifiedFetch } from './verifiedFetch.ts'

/** What is wrong with the call itself, and as wrong when it is made again. Nothing was paid. */
const CALLERS_OWN: ReadonlySet<SdkErrorCode> = new Set([
  'unknown_model',
  'over_limit',
  'unsupported_body',
  'bad_input',
])

/**
 * A `fetch` for the vendors' clients. They ask again by themselves where a fetch rejects, and asking again behind a
 * payment is another payment: what fails there is answered, as an error of their dialect with the header by which they
 * let it be. So is the caller's own mistake, which would be "Connection error." to them, after two more attempts. What
 * else fails before a payment rejects, and may be tried again.
 */
export function dropInFetch(
  verified: VerifiedFetch,
  { onAnswer, onUnverified }: Pick<AssayFetchOptions, 'onAnswer' | 'onUnverified'>,
): typeof globalThis.fetch {
  return async (input, init) => {
    let isPaid = false
    const onPaid = () => {
      isPaid = true
    }
    try {
      return await verified(input, init, { onAnswer, onUnverified, onPaid })
    } catch (error) {
      const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined)
      if (signal?.aborted === true) throw error
      const code = error instanceof SdkError ? error.code : undefined
      const isCallersOwn = code !== undefined && CALLERS_OWN.has(code)
      const neverSent = code === 'unreachable'
      if (!isCallersOwn && (!isPaid || neverSent)) throw error
      return errorAnswer(error, new URL(input instanceof Request ? input.url : input).pathname)
    }
  }
}

function errorAnswer(error: unknown, path: string): Response {
  const told = asDialectError(error)
  const headers = { 'content-type': 'application/json', 'x-should-retry': 'false' }
  return new Response(errorBody(told, path), { status: told.status, headers })
}
