import { errorBody } from '@assay/protocol'
import { asDialectError } from './asDialectError.ts'
import type { AssayFetchOptions } from './assayFetch.ts'
import { SdkError } from './errors.ts'
import type { VerifiedFetch } from './verifiedFetch.ts'

/**
 * A `fetch` for the vendors' clients. They ask again by themselves where a fetch rejects, and asking again behind a
 * payment is another payment: what fails there is answered, as an error of their dialect with the header by which they
 * let it be. What fails before one rejects, and may be tried again.
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
      const neverSent = error instanceof SdkError && error.code === 'unreachable'
      if (!isPaid || neverSent || signal?.aborted === true) throw error
      return errorAnswer(error, new URL(input instanceof Request ? input.url : input).pathname)
    }
  }
}

function errorAnswer(error: unknown, path: string): Response {
  const told = asDialectError(error)
  const headers = { 'content-type': 'application/json', 'x-should-retry': 'false' }
  return new Response(errorBody(told, path), { status: told.status, headers })
}
