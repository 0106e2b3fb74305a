import {
  AssayError,
  type Batch,
  type BatchEntry,
  type Deployment,
  FAULT_CLASS,
  nodeEquivocationKey,
  nodeEquivocationProof,
  type Receipt,
  receiptDigest,
  receiptStructHash,
  recoverSigner,
  type SignedReceipt,
} from '@assay/protocol'
import type { BatchView } from '@assay/verify'
import type { Hex } from 'viem'
import type { Flaw } from './findFaults.ts'

/** A receipt, by the very object that stands in the batch. */
export type PlacedReceipt = { batch: Batch; entry: BatchEntry }

/** What was seen in other batches. */
export type ReceiptMemory = {
  /** Other receipts of other batches that name this one's key and sequence number, whoever signed them. */
  under: (batchId: Hex, receipt: Receipt) => readonly PlacedReceipt[]
  /** Another batch of the same committer that stands (neither void nor expired) and holds this call under a grant. */
  sameCall: (batch: Pick<BatchView, 'batchId' | 'committer'>, requestId: Hex) => Promise<Batch | undefined>
}

/** Faults of nodes that are brought from one batch: the first takes the whole bond, the others refund their payers. */
const MAX_EQUIVOCATIONS = 8

/**
 * Class 3, nodes: one (key, seq) with two receipts, in this batch or in one seen before.
 * @param signed receipts of the batch whose own signature holds
 */
export async function equivocations(
  batch: Batch,
  signed: readonly BatchEntry[],
  context: { deployment: Deployment; memory: ReceiptMemory },
): Promise<Flaw[]> {
  const flaws: Flaw[] = []
  const firsts = new Map<string, BatchEntry>()
  let found = 0
  for (const entry of signed) {
    const { key, seq } = entry.receipt
    const id = `${key} ${seq}`
    const first = firsts.get(id)
    if (first === undefined) firsts.set(id, entry)
    const elsewhere = context.memory.under(batch.batchId, entry.receipt)
    const others = first === undefined ? elsewhere : [{ batch, entry: first }, ...elsewhere]
    const other = await contradicting(entry, others, context.deployment)
    if (other === undefined) continue
    if (found++ === MAX_EQUIVOCATIONS) break
    const flaw = {
      faultClass: FAULT_CLASS.equivocation,
      faultKey: nodeEquivocationKey(entry.receipt),
      batchId: batch.batchId,
      reason: `Key ${key} signed two receipts under number ${seq}.`,
    }
    // Which of the two the node would have kept nobody can tell, so the other's payer is made whole as well.
    flaws.push(
      { ...flaw, proof: nodeEquivocationProof(entry, other.entry, batch) },
      { ...flaw, proof: nodeEquivocationProof(other.entry, entry, other.batch) },
    )
  }
  return flaws
}

async function contradicting(
  { receipt }: SignedReceipt,
  others: readonly PlacedReceipt[],
  deployment: Deployment,
): Promise<PlacedReceipt | undefined> {
  for (const other of others) {
    if (receiptStructHash(other.entry.receipt) === receiptStructHash(receipt)) continue
    if (await isSigned(other.entry, deployment)) return other
  }
  return undefined
}

async function isSigned({ receipt, signature }: SignedReceipt, deployment: Deployment): Promise<boolean> {
  try {
    const signer = await recoverSigner(receiptDigest(receipt, deployment), signature)
    return signer.toLowerCase() === receipt.key.toLowerCase()
  } catch (error) {
    if (error instanceof AssayError) return false
    throw error
  }
}
