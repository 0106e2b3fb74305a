/** What was promised to clients, held against what the chain and the gateway say once nothing moves any more. */
import type { Network, Receipt } from '@assay/protocol'
import type { Hex } from 'viem'
import { until } from '../until.ts'
import type { Spending } from './money.ts'

export type Status = { state: string; receipt: object | null; payment: { state: string } | null }

/** Lookups under way at once while a campaign drains. */
const LOOKUPS = 8

async function statusOf(network: Network, requestId: Hex): Promise<Status | undefined> {
  const response = await fetch(`${network.gatewayUrl}/v1/receipts/${requestId}`)
  const body = await response.json()
  return response.status === 404 ? undefined : (body as Status)
}

/** Whether nothing about this request can change any more. */
function isOver(status: Status | undefined): boolean {
  if (status === undefined || status.state === 'failed') return true
  if (status.state !== 'final') return false
  return status.payment === null || ['settled', 'failed', 'refunded'].includes(status.payment.state)
}

/** Waits until every request is over. @throws Error that names one that is not */
export async function drain(
  network: Network,
  requestIds: Iterable<Hex>,
  patience?: number,
): Promise<Map<Hex, Status | undefined>> {
  const over = new Map<Hex, Status | undefined>()
  const open = new Set(requestIds)
  let last: Status | undefined
  await until(
    async () => {
      const ids = open.values()
      let stuck = false
      const look = async () => {
        for (const requestId of ids) {
          const status = await statusOf(network, requestId)
          if (!isOver(status)) {
            last = status
            stuck = true
          } else {
            over.set(requestId, status)
            open.delete(requestId)
          }
          if (stuck) return
        }
      }
      await Promise.all(Array.from({ length: LOOKUPS }, look))
      return open.size === 0
    },
    () => `${open.size} requests to be over, among them ${[...open][0]}; one is ${JSON.stringify(last)}`,
    patience,
  )
  return over
}

export type Observed = {
  /** What the chain says became of the payer's money. */
  spending: Spending
  /** Ids of every payment that was sent. */
  attempted: ReadonlySet<Hex>
  /** Receipts of verified answers, by request; more than one where an answer was given again. */
  delivered: ReadonlyMap<Hex, readonly Receipt[]>
  /** Requests, or calls that have no id, that were answered with status 200 and without a receipt. */
  withoutReceipt: readonly string[]
  statuses: ReadonlyMap<Hex, Status | undefined>
  /** Requests that were charged by a node's copy of the receipt; no client of a campaign cancels. */
  recovered: (requestId: Hex) => boolean
}

export type Verdict = {
  /** Every promise that was broken, in words. */
  broken: { requestId?: Hex | undefined; what: string }[]
  settled: number
  /** OPG base units. */
  spent: bigint
  /** Receipts that were durable while the last bytes of their answers were still on their way. */
  durableButUndelivered: number
  /** Requests that a fault cut off, and that cost nothing. */
  interrupted: number
}

const sum = (amounts: Iterable<bigint>) => [...amounts].reduce((total, amount) => total + amount, 0n)

export function judge(observed: Observed): Verdict {
  const { attempted, delivered, withoutReceipt, statuses, recovered } = observed
  const { before, after, locked, settled } = observed.spending
  const broken: Verdict['broken'] = []
  const breach = (requestId: Hex, what: string) => broken.push({ requestId, what: `${requestId} ${what}` })

  for (const what of withoutReceipt) broken.push({ what: `${what} was answered without a receipt` })
  const charged = new Set([...locked.keys(), ...settled.keys()])
  for (const [requestId, receipts] of delivered) {
    const status = statuses.get(requestId)
    const prices = settled.get(requestId) ?? []
    if (new Set(receipts.map(({ key, seq }) => `${key} ${seq}`)).size > 1) {
      breach(requestId, 'was served twice, under two receipts')
    }
    if (status?.state !== 'final') breach(requestId, `was delivered and is ${status?.state}`)
    for (const price of new Set(receipts.map((receipt) => receipt.price))) {
      if (price === 0n && charged.has(requestId)) breach(requestId, 'is free and was charged')
      if (price > 0n && (prices.length !== 1 || prices[0] !== price)) {
        breach(requestId, `costs ${price} and was paid out as [${prices}]`)
      }
    }
  }
  for (const requestId of charged) {
    if (!attempted.has(requestId)) breach(requestId, 'was charged and never asked for')
    const [into, out] = [locked, settled].map((events) => (events.get(requestId) ?? []).length)
    if (into !== 1) breach(requestId, `was charged and its payment locked ${into} times`)
    if ((out ?? 0) > 1) breach(requestId, `was paid out ${out} times`)
  }
  let durableButUndelivered = 0
  let interrupted = 0
  for (const [requestId, status] of statuses) {
    if (delivered.has(requestId)) continue
    if (status === undefined || status.receipt === null) {
      if (status !== undefined) interrupted++
      if (charged.has(requestId)) breach(requestId, 'was neither delivered nor recorded, and charged')
    } else {
      durableButUndelivered++
      // No client of these loads cancels, so nothing may be charged on the word of the node's copy alone.
      if (recovered(requestId)) {
        breach(requestId, "was cut off by a fault and charged by the node's copy of its receipt")
      }
    }
  }
  const spent = before.balance - after.balance
  const prices = sum([...settled.values()].flat())
  const stillLocked = sum([...locked].flatMap(([id, amounts]) => (settled.has(id) ? [] : amounts)))
  const credited = after.credit - before.credit
  if (spent !== prices + stillLocked + credited) {
    broken.push({
      what: `${spent} left the payer; ${prices} paid out + ${stillLocked} locked + ${credited} credit`,
    })
  }
  if (delivered.size === 0) broken.push({ what: 'nothing was delivered, so nothing was shown' })
  return { broken, settled: settled.size, spent, durableButUndelivered, interrupted }
}
