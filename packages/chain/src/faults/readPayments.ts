import { inferenceEscrowAbi, type Network, paramStoreAbi, pauseClockAbi } from '@assay/protocol'
import { PAYMENT_STATE } from '@assay/verify'
import { type Address, type Hex, type PublicClient, stringToHex } from 'viem'
import { inRanges } from '../eventRanges.ts'

/** Where a payment for one answer stands. Amounts in OPG base units, times in Unix seconds. */
export type PaymentRecord = { requestId: Hex; payer: Address } & (
  | { state: 'locked'; amount: bigint; refundableAt: bigint }
  /** `returned` is what of it was not due and went back to its payer. */
  | { state: 'paid'; amount: bigint; returned: bigint; batchId: Hex; transactionHash: Hex }
  | { state: 'refunded'; amount: bigint; transactionHash: Hex }
)

type Where = Pick<Network, 'contracts'>

/** Requests asked about in one look at the events. */
const MAX_ASKED = 128

/** From when on anybody may send a payment back that found no final batch, as far as known now. */
export async function readRefundableAt(
  client: PublicClient,
  { contracts }: Where,
  lockedAt: bigint,
): Promise<bigint> {
  const timeout = await client.readContract({
    address: contracts.ParamStore,
    abi: paramStoreAbi,
    functionName: 'getAt',
    args: [stringToHex('REFUND_TIMEOUT', { size: 32 }), lockedAt],
  })
  return client.readContract({
    address: contracts.PauseClock,
    abi: pauseClockAbi,
    functionName: 'extended',
    args: [lockedAt, lockedAt + timeout],
  })
}

/**
 * What became of the payments for some requests, in their order; those that escrow never saw are left out.
 * @param requests at most 128
 * @param since block before which none of them was paid out or refunded
 */
export async function readPayments(
  client: PublicClient,
  network: Where,
  requests: readonly Hex[],
  since: bigint,
): Promise<PaymentRecord[]> {
  if (requests.length === 0) return []
  if (requests.length > MAX_ASKED) throw new Error(`at most ${MAX_ASKED} payments are asked for at once`)
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const asked = { ...escrow, args: { requestId: [...requests] }, strict: true } as const
  const [settled, refunded] = await Promise.all([
    inRanges(client, since, (range) =>
      client.getContractEvents({ ...asked, ...range, eventName: 'PaymentSettled' }),
    ),
    inRanges(client, since, (range) =>
      client.getContractEvents({ ...asked, ...range, eventName: 'PaymentRefunded' }),
    ),
  ])
  const records = requests.map(async (requestId): Promise<PaymentRecord[]> => {
    const [payer, , amount, , lockedAt, state] = await client.readContract({
      ...escrow,
      functionName: 'payment',
      args: [requestId],
    })
    if (state === PAYMENT_STATE.locked) {
      const refundableAt = await readRefundableAt(client, network, lockedAt)
      return [{ requestId, payer, state: 'locked', amount, refundableAt }]
    }
    const paid = settled.find(({ args }) => args.requestId === requestId)
    if (state === PAYMENT_STATE.paid && paid !== undefined) {
      const { transactionHash } = paid
      const { batchId, refund: returned } = paid.args
      return [{ requestId, payer, state: 'paid', amount, returned, batchId, transactionHash }]
    }
    const back = refunded.find(({ args }) => args.requestId === requestId)
    if (state === PAYMENT_STATE.refunded && back !== undefined) {
      return [{ requestId, payer, state: 'refunded', amount, transactionHash: back.transactionHash }]
    }
    return []
  })
  return (await Promise.all(records)).flat()
}

/**
 * Requests whose payments lay in a gateway's till at a block, as far as they came in since another, newest first: what a
 * batch can be about whose data nobody shows.
 */
export async function readTillRequests(
  client: PublicClient,
  network: Where,
  gateway: Address,
  { fromBlock, toBlock }: { fromBlock: bigint; toBlock: bigint },
): Promise<Hex[]> {
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const locked = await inRanges(
    client,
    fromBlock,
    (range) =>
      client.getContractEvents({
        ...escrow,
        ...range,
        eventName: 'PaymentLocked',
        args: { gateway },
        strict: true,
      }),
    toBlock,
  )
  return locked.map(({ args }) => args.requestId).reverse()
}

/** What a final batch has paid out of escrow, OPG base units. */
export async function readPaidOut(
  client: PublicClient,
  network: Where,
  { batchId, committedBlock }: { batchId: Hex; committedBlock: bigint },
): Promise<{ answers: number; price: bigint; returned: bigint }> {
  const events = await inRanges(client, committedBlock, (range) =>
    client.getContractEvents({
      address: network.contracts.InferenceEscrow,
      abi: inferenceEscrowAbi,
      ...range,
      eventName: 'PaymentSettled',
      args: { batchId },
      strict: true,
    }),
  )
  const sums = events.reduce(
    ({ price, returned }, { args }) => ({ price: price + args.price, returned: returned + args.refund }),
    { price: 0n, returned: 0n },
  )
  return { answers: events.length, ...sums }
}
