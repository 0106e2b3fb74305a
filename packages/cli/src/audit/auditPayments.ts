import {
  type BatchHistory,
  type PaymentRecord,
  readPaidOut,
  readPayments,
  readSettledRows,
  readTillRequests,
} from '@assay/chain'
import type { Network } from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import type { Hex, PublicClient } from 'viem'

/** Where the money of a batch's payers is. Amounts in OPG base units. */
export type PaymentsAudit = {
  /** What the batch itself has paid: answers that paid for themselves. `returned` went back to their payers. */
  paidOut: { answers: number; price: bigint; returned: bigint }
  /** And rows under spending grants; `unpaid` is what their deposits did not hold. */
  fromDeposits: { rows: number; price: bigint; unpaid: bigint }
  /** Of a batch that is void, expired or proven false: what became of each payment. */
  payments: readonly PaymentRecord[]
  /** Which payments these are: those that its receipts name, or, where nobody shows them, those in its committer's till. */
  of: 'receipts' | 'till'
  /** Payments that are not looked at. */
  more: number
}

const MAX_PAYMENTS = 64
/** Receipts are batched within a day, and blocks come a second apart at the least. */
const BLOCKS_OF_A_DAY = 86_400n

/** @param requests what the batch's receipts name, where anybody shows them */
export async function auditPayments(
  client: PublicClient,
  network: Network,
  batch: BatchHistory,
  requests: readonly Hex[] | undefined,
): Promise<PaymentsAudit> {
  const [paidOut, rows] = await Promise.all([
    readPaidOut(client, network, batch),
    readSettledRows(client, network, batch),
  ])
  const fromDeposits = {
    rows: rows.length,
    price: rows.reduce((sum, { price }) => sum + price, 0n),
    unpaid: rows.reduce((sum, { unpaid }) => sum + unpaid, 0n),
  }
  const of = requests === undefined ? 'till' : 'receipts'
  const about = isInTrouble(batch) ? (requests ?? (await inTill(client, network, batch))) : []
  const asked = about.slice(0, MAX_PAYMENTS)
  const payments = await readPayments(client, network, asked, batch.committedBlock)
  return { paidOut, fromDeposits, payments, of, more: about.length - asked.length }
}

/** Whether its payers must look elsewhere for their money. */
export function isInTrouble({ state, faults }: Pick<BatchHistory, 'state' | 'faults'>): boolean {
  return state === BATCH_STATE.void || state === BATCH_STATE.expired || faults.length > 0
}

function inTill(client: PublicClient, network: Network, batch: BatchHistory): Promise<Hex[]> {
  const { committer, committedBlock } = batch
  const fromBlock = committedBlock > BLOCKS_OF_A_DAY ? committedBlock - BLOCKS_OF_A_DAY : 0n
  return readTillRequests(client, network, committer, { fromBlock, toBlock: committedBlock })
}
