import { type BatchEntry, GRANT_LEEWAY_SECONDS, grantIdOf, grantRequestId } from '@assay/protocol'
import type { ChainView } from '../chainView.ts'
import { grantRefusal } from '../grant.ts'
import { failed, passed, type Step, same, skipped, step } from '../step.ts'

/** The call is one that the payer's grant pays for: its id, gateway, model, node, price and time. */
export function withinGrant({ receipt, grant: call }: BatchEntry, view: ChainView): Promise<Step> {
  return step('withinGrant', () => {
    if (call === undefined) return skipped('not_under_grant', 'Under no grant: the call paid for itself.')
    const { chainId } = view.deployment
    const requestId = grantRequestId({ chainId, escrow: view.escrow, payer: receipt.payer, grant: call })
    if (!same(requestId, receipt.requestId)) {
      return failed('grant_differs', `Call ${call.counter} of the grant ${call.id} has another request id.`)
    }
    if (view.grant === null) return failed('grant_unknown', `The chain knows no grant ${call.id}.`)
    const { grant, account } = view.grant
    if (!same(grantIdOf(grant, view.deployment), call.id)) {
      return failed('grant_differs', `The grant at hand is not ${call.id}.`)
    }
    if (!same(grant.payer, receipt.payer) || !same(grant.gateway, receipt.committer)) {
      return failed('grant_differs', `The grant is from ${grant.payer} to the gateway ${grant.gateway}.`)
    }
    const refusal = grantRefusal(grant, account, {
      modelId: receipt.modelId,
      node: receipt.node,
      price: receipt.price,
      // What was being answered when the grant ended is still owed.
      at: receipt.issuedAt - GRANT_LEEWAY_SECONDS,
    })
    return refusal === undefined
      ? passed(`Call ${call.counter} of the grant that ${grant.payer} gave to ${grant.gateway}.`)
      : failed('grant_exceeded', refusal.reason)
  })
}
