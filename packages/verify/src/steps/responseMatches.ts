import { type Bundle, responseHash } from '@assay/protocol'
import { failed, passed, type Step, same, step } from '../step.ts'

/** The bytes you got are the bytes that were signed. */
export function responseMatches(bundle: Bundle): Promise<Step> {
  return step('responseMatches', () => {
    const found = responseHash(bundle.response)
    return same(found, bundle.receipt.responseHash)
      ? passed('The response is the one that was signed.')
      : failed(
          'response_differs',
          `The response hashes to ${found}, signed was ${bundle.receipt.responseHash}.`,
        )
  })
}
