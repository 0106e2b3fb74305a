import {
  type Batch,
  type BatchEntry,
  FAULT_CLASS,
  type FalseStep,
  MAX_AGE_SECONDS,
  overchargeKey,
  priceOf,
  type Receipt,
  rowFaultProof,
  SKEW_SECONDS,
  STATUS,
  teeFaultProof,
  zkFaultProof,
} from '@assay/protocol'
import type { ChainView, Step, StepCode } from '@assay/verify'
import type { Flaw } from './findFaults.ts'

/** A receipt that is nobody's, or whose key was not approved: class 1 where the registry still says so. */
const NO_VALID_KEY: ReadonlySet<StepCode> = new Set<StepCode>([
  'signature_malformed',
  'signature_of_other_key',
  'key_unknown',
  'key_of_other_node',
  'key_not_valid_then',
  'key_mode_differs',
  'engine_class_not_allowed',
  'hardware_not_approved',
  'measurement_not_approved',
])
/** Where the node of the receipt did not sign it, and so answers for no price in it. */
const NOT_THE_NODES: ReadonlySet<StepCode> = new Set<StepCode>([
  'signature_malformed',
  'signature_of_other_key',
  'key_unknown',
  'key_of_other_node',
])

/** Class 2, against its committer: a step of the check of its proof does not hold. */
export function zkFlaw(batch: Batch, entry: BatchEntry, lie: FalseStep): Flaw {
  const { batchId } = batch
  return {
    faultClass: FAULT_CLASS.zk,
    faultKey: batchId,
    batchId,
    reason: `A proof of inference fails in step ${lie.gate} of its check.`,
    proof: zkFaultProof(batch, entry, lie),
  }
}

/** What else of a receipt's failed steps can be proven: class 1 against its committer, an overcharge against its node too. */
export function brokenReceipt(parameters: {
  batch: Batch
  entry: BatchEntry
  /** The failed ones. */
  steps: readonly Step[]
  /** Unix seconds. */
  committedAt: bigint
  view: ChainView
}): Flaw[] {
  const { batch, entry, steps, committedAt, view } = parameters
  const { batchId } = batch
  const { receipt } = entry
  const flaws: Flaw[] = []
  if (!inOwnRow(batch, entry)) return flaws
  const keyless = steps.find(({ code }) => NO_VALID_KEY.has(code))
  if (keyless !== undefined || untimely(receipt, committedAt)) {
    flaws.push({
      faultClass: FAULT_CLASS.tee,
      faultKey: batchId,
      batchId,
      reason: keyless?.reason ?? 'A receipt was issued after its commit, or over a day before.',
      proof: teeFaultProof(batch, entry),
    })
  }
  const due = amountDue(receipt, view)
  if (receipt.price > due && !steps.some(({ code }) => NOT_THE_NODES.has(code))) {
    flaws.push({
      faultClass: FAULT_CLASS.row,
      faultKey: overchargeKey(batchId, receipt.node),
      batchId,
      reason: `A receipt charges ${receipt.price} base units where ${due} are due.`,
      proof: rowFaultProof('overcharge', batch, entry),
    })
  }
  return flaws
}

/** Only where it stands in the row of its own members does the proof of class 1 lead to the root. */
function inOwnRow(batch: Batch, { receipt }: BatchEntry): boolean {
  return batch.groups.some((group) =>
    group.rows.some(
      (row) => row.receipts.some((other) => other.receipt === receipt) && belongs(receipt, row),
    ),
  )
}

type RowMembers = Pick<Receipt, 'node' | 'payer' | 'modelId' | 'priceVersion'>

/** Whether a receipt belongs under the key of a row. */
export function belongs(receipt: RowMembers, row: RowMembers): boolean {
  return (
    receipt.node === row.node &&
    receipt.payer === row.payer &&
    receipt.modelId === row.modelId &&
    receipt.priceVersion === row.priceVersion
  )
}

function untimely({ issuedAt }: Receipt, committedAt: bigint): boolean {
  return issuedAt > committedAt + SKEW_SECONDS || committedAt > issuedAt + MAX_AGE_SECONDS
}

/** What the price row gives; one that does not exist gives nothing. OPG base units. */
function amountDue({ inputUnits, outputUnits, status }: Receipt, { price }: ChainView): bigint {
  if (price === null) return 0n
  return priceOf(price, { inputUnits, outputUnits, failed: status === STATUS.failed })
}
