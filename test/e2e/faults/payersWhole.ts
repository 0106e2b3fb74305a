import assert from 'node:assert/strict'
import { type PaymentRecord, publicClientOf, readBatch, readPayments } from '@assay/chain'
import { formatOpg } from '@assay/protocol'
import type { Hex } from 'viem'
import { until } from '../../until.ts'
import type { Stage } from './stage.ts'

/** Where a payer's money went, and how long after the lie was committed, by the chain's clock. */
export type MadeWhole = PaymentRecord & { seconds: bigint }

/** Where the money of payers went that a lie had touched. @throws Error where some of it is still locked */
export async function payersWhole(
  { network }: Stage,
  lie: { batchId: Hex; committedAt: bigint; committedBlock: bigint },
  requests: readonly Hex[],
): Promise<MadeWhole[]> {
  const client = publicClientOf(network)
  const payments = await readPayments(client, network, requests, lie.committedBlock)
  assert.equal(payments.length, requests.length, 'escrow knows every payment')
  return Promise.all(
    payments.map(async (payment) => {
      assert.notEqual(payment.state, 'locked', `the payment for ${payment.requestId} is still locked`)
      const { transactionHash } = payment as Exclude<PaymentRecord, { state: 'locked' }>
      const { blockNumber } = await client.getTransactionReceipt({ hash: transactionHash })
      const { timestamp } = await client.getBlock({ blockNumber })
      return { ...payment, seconds: timestamp - lie.committedAt }
    }),
  )
}

/** What a payer does whose payment nothing became of: `assay wallet refund`, as soon as escrow gives it back. */
export async function refundWhenDue({ network, assay, tell }: Stage, requestId: Hex): Promise<void> {
  const client = publicClientOf(network)
  const [payment] = await readPayments(client, network, [requestId], 0n)
  if (payment?.state !== 'locked') throw new Error(`the payment for ${requestId} is ${payment?.state}`)
  const { refundableAt, amount } = payment
  await until(
    async () => (await client.getBlock()).timestamp >= refundableAt,
    () => `the time-out of the payment for ${requestId}`,
  )
  const { code, stdout, stderr } = await assay('wallet', 'refund', requestId)
  assert.equal(code, 0, stderr)
  const [said] = stdout.split('\n')
  tell(
    `The time of the payment of ${formatOpg(amount)} is over. \`assay wallet refund ${requestId}\`: ${said}`,
  )
}

/** The batch that pays for a request, once one did. */
export async function payingBatch({ network }: Stage, requestId: Hex) {
  const client = publicClientOf(network)
  const [payment] = await readPayments(client, network, [requestId], 0n)
  if (payment?.state !== 'paid') return undefined
  return (await readBatch(client, network, payment.batchId)) ?? undefined
}
