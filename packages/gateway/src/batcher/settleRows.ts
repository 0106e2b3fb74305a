import { type Batch, type GrantRow, grantRows } from '@assay/protocol'
import { setPaymentState } from '@assay/store'
import type { Hex } from 'viem'
import type { ChainBatch, RowPayment } from '../chain/gatewayChain.ts'
import type { Context } from '../context.ts'

/** Rows in one transaction: ~100k gas each with their proofs, under the 16.7M of EIP-7825. */
const CHUNK = 64

/** Rows of a batch that deposits pay for. */
function payableRows(batch: Batch): GrantRow[] {
  return grantRows(batch).filter(({ top }) => top.sum > 0n)
}

/** Makes a due batch final. Where it holds rows under grants the first of them are paid in the same transaction. */
export function finaliseAndPay({ chain }: Pick<Context, 'chain'>, batch: Batch): Promise<Hex> {
  const rows = payableRows(batch).slice(0, CHUNK)
  return rows.length === 0 ? chain.finalise(batch.batchId) : chain.settleRows(batch.batchId, rows)
}

/**
 * Has deposits pay the rows of a final batch that stand under grants, one write a row. The chain's own events say which
 * are paid, so a crash anywhere, or a reorganisation, leaves nothing to remember and nothing to pay twice.
 * @returns whether nothing is left to do, as of the beginning
 */
export async function settleRows(
  context: Context,
  batch: Batch,
  { committedBlock }: Pick<ChainBatch, 'committedBlock'>,
): Promise<boolean> {
  const { chain } = context
  const rows = payableRows(batch)
  if (rows.length === 0) return true
  const due = await note(context, batch, rows, await chain.rowPayments(batch.batchId, committedBlock))
  for (let at = 0; at < due.length; at += CHUNK) {
    await chain.settleRows(batch.batchId, due.slice(at, at + CHUNK))
  }
  if (due.length > 0) await note(context, batch, due, await chain.rowPayments(batch.batchId, committedBlock))
  return due.length === 0
}

/** Writes down which rows were paid. @returns the others */
async function note(
  { database, metrics, log }: Context,
  batch: Batch,
  rows: readonly GrantRow[],
  payments: readonly RowPayment[],
): Promise<GrantRow[]> {
  const left = [...payments]
  const due: GrantRow[] = []
  for (const row of rows) {
    const at = left.findIndex((payment) => pays(payment, row))
    const [payment] = at === -1 ? [] : left.splice(at, 1)
    const ids = requestIds(batch, row)
    if (payment === undefined) {
      due.push(row)
      // Also where it was paid before a reorganisation.
      await setPaymentState(database, ids, 'locked')
      continue
    }
    await setPaymentState(database, ids, 'settled', payment.transactionHash)
    metrics.count('grant_rows_total', payment.unpaid > 0n ? 'short' : 'paid')
    if (payment.unpaid > 0n) {
      // The node is short of this: a gateway that keeps its own limits never gets here.
      log('deposit_short', { batchId: batch.batchId, grantId: row.key.grantId, unpaid: payment.unpaid })
    }
  }
  return due
}

function pays(payment: RowPayment, { key, top }: GrantRow): boolean {
  return (
    payment.grantId === key.grantId &&
    payment.modelId === key.modelId &&
    payment.node.toLowerCase() === key.node.toLowerCase() &&
    payment.price + payment.unpaid === top.sum
  )
}

/** Requests of a row that cost something: the others have no payment. */
function requestIds(batch: Batch, { top }: GrantRow): Hex[] {
  const rows = batch.groups.flatMap((group) => group.rows)
  const row = rows.find((candidate) => candidate.top.hash === top.hash)
  return (row?.receipts ?? []).flatMap(({ receipt }) => (receipt.price > 0n ? [receipt.requestId] : []))
}
