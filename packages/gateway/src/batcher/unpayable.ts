import { type BatchEntry, GRANT_LEEWAY_SECONDS, grantFromJson } from '@assay/protocol'
import { grantTerms, type Queryable } from '@assay/store'
import { grantRefusal } from '@assay/verify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'

/**
 * Receipts that their grants do not pay for, by the rule of the validators, who refuse a batch that holds one: those of
 * answers that took too long after the grant had ended. What they cost is the gateway's and the node's to bear.
 */
export async function unpayable(
  { chain }: Pick<Context, 'chain'>,
  transaction: Queryable,
  receipts: readonly BatchEntry[],
): Promise<Set<Hex>> {
  const grantIds = [...new Set(receipts.flatMap(({ grant }) => (grant === undefined ? [] : [grant.id])))]
  if (grantIds.length === 0) return new Set()
  const accounts = await Promise.all(grantIds.map((grantId) => chain.grantAccount(grantId)))
  const accountOf = new Map(grantIds.map((grantId, at) => [grantId, accounts[at]]))
  const terms = await grantTerms(transaction, grantIds)
  const lost = receipts.filter(({ receipt, grant: call }) => {
    if (call === undefined) return false
    const [text, account] = [terms.get(call.id), accountOf.get(call.id)]
    if (text === undefined || account === undefined) return true
    const { modelId, node, price, issuedAt } = receipt
    const asCall = { modelId, node, price, at: issuedAt - GRANT_LEEWAY_SECONDS }
    return grantRefusal(grantFromJson(JSON.parse(text)), account, asCall) !== undefined
  })
  return new Set(lost.map(({ receipt }) => receipt.requestId))
}
