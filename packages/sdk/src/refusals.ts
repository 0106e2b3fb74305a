import { NAME_HEADER } from '@assay/protocol'
import type { AssayFetchOptions } from './assayFetch.ts'
import { SdkError } from './errors.ts'

/** Somebody else's server: nothing there is paid for. */
export function elsewhere(requested: string, gateway: string): SdkError {
  return new SdkError('This request does not go to the gateway of the network file.', {
    code: 'offer_rejected',
    facts: { requested, gateway },
    next: "Set the client's base URL to the gateway's, or load that network's file.",
  })
}

/** Counting tokens, for one: the gateway would read the whole prompt. */
export function inClear(path: string): SdkError {
  return new SdkError('This request cannot be encrypted, so nothing was sent.', {
    code: 'not_confidential',
    facts: { path },
    next: 'Leave confidential out for what the gateway may read.',
  })
}

/** Said before the first request, which would fail like all behind it. @throws SdkError `not_confidential` */
export function mustSign({ apiKey, confidential }: AssayFetchOptions): void {
  if (apiKey === undefined || confidential !== true) return
  throw new SdkError('A confidential request is signed by its payer, which an API key cannot do.', {
    code: 'not_confidential',
    next: 'Give a private key instead of the API key, or leave confidential out.',
  })
}

/** @throws SdkError `not_confidential` */
export function mustBeSealable(request: Request): void {
  if (request.headers.has(NAME_HEADER)) {
    throw new SdkError('An encrypted request has no name: what is kept under one can be read.', {
      code: 'not_confidential',
      facts: { header: NAME_HEADER },
      next: 'Leave the name out, or confidential.',
    })
  }
}
