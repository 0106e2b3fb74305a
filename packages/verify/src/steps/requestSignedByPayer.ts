import { type Bundle, recoverSigner, requestAuthDigest, SKEW_SECONDS } from '@assay/protocol'
import type { ChainView } from '../chainView.ts'
import { failed, passed, type Step, same, skipped, step } from '../step.ts'

/** The payer signed this very request, model, gateway and highest price. */
export function requestSignedByPayer({ requestAuth, receipt }: Bundle, view: ChainView): Promise<Step> {
  return step('requestSignedByPayer', async () => {
    if (requestAuth === undefined)
      return skipped('request_unsigned', 'The request is not signed by the payer.')
    const { auth, signature } = requestAuth
    const differing = (['requestId', 'requestHash', 'modelId', 'committer'] as const).find(
      (name) => !same(auth[name], receipt[name]),
    )
    if (differing !== undefined) {
      return failed('request_auth_differs', `The payer authorised another ${differing}.`)
    }
    if (receipt.price > auth.maxPrice) {
      return failed(
        'request_auth_differs',
        `The payer allowed ${auth.maxPrice}, charged was ${receipt.price}.`,
      )
    }
    if (receipt.issuedAt > auth.deadline + SKEW_SECONDS) {
      return failed('request_auth_differs', `Issued at ${receipt.issuedAt}, allowed until ${auth.deadline}.`)
    }
    const signer = await recoverSigner(requestAuthDigest(auth, view.deployment), signature)
    return same(signer, receipt.payer)
      ? passed(`The payer ${receipt.payer} signed this request.`)
      : failed('request_auth_differs', `${signer} signed the request, not the payer ${receipt.payer}.`)
  })
}
