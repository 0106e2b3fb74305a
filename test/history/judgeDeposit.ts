/** What was promised to clients with an API key, held against the deposit that pays for them once nothing moves any more. */
import type { Receipt } from '@assay/protocol'
import type { GrantCallRecord } from '@assay/sdk'
import type { Hex } from 'viem'

export type ObservedDeposit = {
  /** Receipts of whole answers, by the name of their call: one call, however often it was sent. */
  answered: ReadonlyMap<string, readonly Receipt[]>
  withoutReceipt: readonly string[]
  /** Calls that went out. */
  calls: number
  /** Every call under the grant, as the gateways count them. */
  records: readonly GrantCallRecord[]
  /** What the chain says has left the deposit, OPG base units. */
  spent: bigint
  /** Requests that were charged by a node's copy of the receipt; no client of a campaign cancels. */
  recovered: (requestId: Hex) => boolean
}

export type DepositVerdict = {
  broken: { requestId?: Hex | undefined; what: string }[]
  /** Calls that the deposit paid for. */
  debits: number
}

export function judgeDeposit(observed: ObservedDeposit): DepositVerdict {
  const { answered, withoutReceipt, calls, records, spent, recovered } = observed
  const broken: DepositVerdict['broken'] = []
  const breach = (requestId: Hex, what: string) => broken.push({ requestId, what: `${requestId} ${what}` })

  for (const what of withoutReceipt) broken.push({ what: `${what} was answered without a receipt` })
  const recordOf = new Map(records.map((record) => [record.requestId, record]))
  if (recordOf.size !== records.length) broken.push({ what: 'two debits have one request id' })
  const delivered = new Set<Hex>()
  for (const [name, receipts] of answered) {
    if (new Set(receipts.map(({ key, seq }) => `${key} ${seq}`)).size > 1)
      for (const { requestId } of receipts)
        broken.push({
          requestId,
          what: `${name} was served twice, under two receipts; one is of ${requestId}`,
        })
    for (const { requestId, price } of receipts) {
      const record = recordOf.get(requestId)
      delivered.add(requestId)
      if (record?.state !== 'finished') breach(requestId, `was delivered by key and is ${record?.state}`)
      else if (record.amount !== price) breach(requestId, `costs ${price} and took ${record.amount}`)
    }
  }
  const debits = records.filter(({ amount }) => amount > 0n)
  for (const { requestId, state, settled } of debits) {
    if (state !== 'finished') breach(requestId, `is ${state} and was charged to its deposit`)
    if (!settled) breach(requestId, 'was charged and the deposit has not paid it')
    if (!delivered.has(requestId) && recovered(requestId))
      breach(requestId, "was cut off by a fault and charged by the node's copy of its receipt")
  }
  const unseen = debits.filter(({ requestId }) => !delivered.has(requestId)).length
  const unanswered = calls - [...answered.values()].flat().length
  if (unseen > unanswered)
    broken.push({ what: `${unseen} calls were charged unseen, where ${unanswered} had no answer` })
  const charged = debits.reduce((sum, { amount }) => sum + amount, 0n)
  if (charged !== spent) broken.push({ what: `${spent} left the deposit, for calls of ${charged}` })
  if (delivered.size === 0) broken.push({ what: 'nothing was delivered by key, so nothing was shown' })
  return { broken, debits: debits.length }
}
