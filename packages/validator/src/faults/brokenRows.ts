import {
  type Batch,
  type BatchEntry,
  type Deployment,
  FAULT_CLASS,
  grantRequestId,
  NO_GRANT,
  type ROW_FAULT,
  type Row,
  rowFaultProof,
  twiceFaultProof,
} from '@assay/protocol'
import type { BatchView } from '@assay/verify'
import type { Address, Hex } from 'viem'
import { belongs } from './brokenReceipt.ts'
import type { ReceiptMemory } from './equivocations.ts'
import type { Flaw } from './findFaults.ts'

type Kind = Exclude<keyof typeof ROW_FAULT, 'twice' | 'overcharge'>

const REASONS: Record<Kind, string> = {
  foreignRow: 'A receipt stands in a row that is not its own.',
  foreignGrant: 'A receipt stands under a grant that does not pay for it.',
  stranger: 'A receipt under a grant was batched by a stranger; only its gateway may.',
}

export type RowContext = {
  deployment: Deployment
  escrow: Address
  batch: BatchView
  memory: ReceiptMemory
}

/**
 * Class 7 but for overcharging: receipts where they do not belong. Rows under a grant are settled whole, so whoever
 * calls a batch valid answers for every one of them.
 * @param most flaws after which it stops
 */
export async function brokenRows(batch: Batch, context: RowContext, most: number): Promise<Flaw[]> {
  const flaw = (reason: string, proof: Hex, batchId = batch.batchId): Flaw => ({
    faultClass: FAULT_CLASS.row,
    faultKey: batchId,
    batchId,
    reason,
    proof,
  })
  const flaws: Flaw[] = []
  const calls = new Set<Hex>()
  for (const row of batch.groups.flatMap((group) => group.rows)) {
    for (const entry of row.receipts) {
      if (flaws.length >= most) return flaws
      const kind = misplacement(row, entry, context)
      if (kind !== undefined) flaws.push(flaw(REASONS[kind], rowFaultProof(kind, batch, entry)))
      if (row.grantId === NO_GRANT) continue
      const { requestId } = entry.receipt
      const again = calls.has(requestId) ? batch : await context.memory.sameCall(context.batch, requestId)
      calls.add(requestId)
      if (again === undefined) continue
      // The later of two is the guilty one; it may have been seen first.
      const later = again.header.height > context.batch.height ? again.batchId : batch.batchId
      flaws.push(flaw('A call of a grant is batched twice.', twiceFaultProof(batch, again, requestId), later))
    }
  }
  return flaws
}

function misplacement(row: Row, { receipt, grant }: BatchEntry, context: RowContext): Kind | undefined {
  if (!belongs(receipt, row)) return 'foreignRow'
  if (grant === undefined) return undefined
  const { chainId } = context.deployment
  const paidFor = grantRequestId({ chainId, escrow: context.escrow, payer: row.payer, grant })
  if (receipt.requestId !== paidFor) return 'foreignGrant'
  const stranger = receipt.committer.toLowerCase() !== context.batch.committer.toLowerCase()
  return stranger ? 'stranger' : undefined
}
