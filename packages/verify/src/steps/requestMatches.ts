import { type Bundle, requestHash } from '@assay/protocol'
import { failed, passed, type Step, same, step } from '../step.ts'

/** The bytes you sent are the bytes that were signed. */
export function requestMatches(bundle: Bundle): Promise<Step> {
  return step('requestMatches', () => {
    const found = requestHash(bundle.request)
    return same(found, bundle.receipt.requestHash)
      ? passed('The request is the one that was signed.')
      : failed('request_differs', `The request hashes to ${found}, signed was ${bundle.receipt.requestHash}.`)
  })
}
