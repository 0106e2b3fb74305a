import {
  type Batch,
  batchEntries,
  type Deployment,
  FAULT_CLASS,
  type GroupHeader,
  groupHeaders,
  statedBatch,
  sumFaultProof,
} from '@assay/protocol'
import { type BatchView, batchViews, falseInference, type ReadView, verifyBatchReceipts } from '@assay/verify'
import type { Address, Hex } from 'viem'
import { brokenReceipt, zkFlaw } from './brokenReceipt.ts'
import { brokenRows } from './brokenRows.ts'
import { equivocations, type ReceiptMemory } from './equivocations.ts'

/** A fault that FaultManager can be shown. */
export type FoundFault = {
  /** One of `FAULT_CLASS`. */
  faultClass: number
  /** Names the fault within its class (docs/spec.md §11). */
  faultKey: Hex
  /** The batch that is void by it: this one, or a later one that was seen before. */
  batchId: Hex
  reason: string
  /** Encoded proofs: the first shows the fault, each further one another payer who lost by it. */
  proofs: readonly Hex[]
}

export type Findings = {
  /** Each is punished by itself. */
  faults: readonly FoundFault[]
  /** Why no honest validator calls the batch valid; undefined where nothing is wrong. */
  invalid: string | undefined
  /**
   * Place of a receipt that the root claims and the file does not hold: nothing can be proven about it, but it can be
   * demanded (`DataChallenge`).
   */
  unshown?: bigint | undefined
  /** Places of receipts whose proof is refused, beside which another tape's root stands: those tapes can be demanded. */
  hidden?: readonly bigint[] | undefined
}

export type FindFaultsParameters = {
  deployment: Deployment
  escrow: Address
  /** Settlement's record of the batch. */
  batch: BatchView
  /** The committed bytes: their hash is `batch.dataHash`. */
  file: Uint8Array
  /** What the file states, where it was read already. */
  stated?: Batch | undefined
  /** The groups that its committer put on chain; asked for only where the file leads to another root. */
  groups: () => Promise<readonly GroupHeader[]>
  /** View of the chain for one receipt. */
  read: ReadView
  memory: ReceiptMemory
}

/** Bad receipts of one batch that are looked at: what bounds the reads, the proofs and the refunds asked for. */
const MAX_BAD_RECEIPTS = 64

/** One thing that is wrong, with the proof of it. */
export type Flaw = Omit<FoundFault, 'proofs'> & { proof: Hex }

/**
 * Everything that is provably wrong with a committed batch, as the contracts would judge it. What it finds may still be
 * refused there (a key that ended within the grace time): the chain is asked before anything is sent.
 * @throws whatever `read`, `groups` or `memory` throw: a chain that does not answer proves nothing
 */
export async function findFaults(parameters: FindFaultsParameters): Promise<Findings> {
  const { batch: view, file } = parameters
  let stated: Batch
  try {
    stated = parameters.stated ?? statedBatch(file)
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : 'unknown form'
    return { faults: [], invalid: `the file cannot be read: ${why}`, unshown: 0n }
  }
  // What the file says about itself is worth nothing; proofs are about the batch on chain.
  const batch: Batch = { ...stated, batchId: view.batchId }
  if (stated.header.root !== view.root) return otherRoot(batch, await parameters.groups())
  return otherContent(batch, parameters)
}

/** The file leads to another root: either a group's totals lie, or receipts are claimed that it does not hold. */
function otherRoot(batch: Batch, committed: readonly GroupHeader[]): Findings {
  const { batchId } = batch
  const proof = sumFaultProof(batch, committed, batchId)
  if (proof !== undefined) {
    const reason = 'a group on chain claims other totals than its rows have'
    return {
      faults: [{ faultClass: FAULT_CLASS.sum, faultKey: batchId, batchId, reason, proofs: [proof] }],
      invalid: reason,
    }
  }
  const invalid = 'the root on chain stands for other receipts than the file holds'
  return { faults: [], invalid, unshown: firstUnshown(committed, groupHeaders(batch)) }
}

/** Place of the first receipt under a group that the file does not hold. */
function firstUnshown(committed: readonly GroupHeader[], held: readonly GroupHeader[]): bigint {
  const tops = new Set(held.map(({ node, top }) => `${node} ${top}`.toLowerCase()))
  let place = 0n
  for (const { node, top, count } of committed) {
    if (!tops.has(`${node} ${top}`.toLowerCase())) return place
    place += count
  }
  return 0n
}

/** The file is what the root stands for: what is wrong stands in it. */
async function otherContent(batch: Batch, parameters: FindFaultsParameters): Promise<Findings> {
  const { batch: committed, memory, deployment } = parameters
  const views = batchViews(committed, parameters.read)
  const rows = await brokenRows(batch, parameters, MAX_BAD_RECEIPTS)
  const { failures } = await verifyBatchReceipts(batch, views, MAX_BAD_RECEIPTS)
  const entries = batchEntries(batch)
  const receipts: Flaw[] = []
  const hidden: bigint[] = []
  const badlySigned = new Set<object>()
  for (const { entry, steps } of failures) {
    if (steps.some(({ name }) => name === 'signatureRecoversKey')) badlySigned.add(entry)
    const view = await views(entry)
    const unproven = steps.some(({ name }) => name === 'proofHolds')
    const lie = unproven ? falseInference(entry, view.model?.weightsHash) : undefined
    if (lie === 'hidden') hidden.push(BigInt(entries.indexOf(entry)))
    else if (lie !== undefined) receipts.push(zkFlaw(batch, entry, lie))
    receipts.push(...brokenReceipt({ batch, entry, steps, committedAt: committed.committedAt, view }))
  }
  const signed = entries.filter((entry) => !badlySigned.has(entry))
  const double = await equivocations(batch, signed, { deployment, memory })
  const faults = merged([...rows, ...receipts, ...double])
  const [failure] = failures
  const codes = failure?.steps.map(({ code }) => code).join(', ')
  const failed = failure && `receipt ${failure.entry.receipt.requestId}: ${codes}`
  const invalid = failed ?? faults.find(({ batchId }) => batchId === committed.batchId)?.reason
  return { faults, invalid, ...(hidden.length > 0 && { hidden }) }
}

/** One fault for each (class, key), the proofs of all its victims with it. */
function merged(flaws: readonly Flaw[]): FoundFault[] {
  const byKey = new Map<string, FoundFault & { proofs: Hex[] }>()
  for (const { proof, ...flaw } of flaws) {
    const id = `${flaw.faultClass} ${flaw.faultKey}`
    const known = byKey.get(id)
    if (known === undefined) byKey.set(id, { ...flaw, proofs: [proof] })
    else if (known.proofs.length < MAX_BAD_RECEIPTS) known.proofs.push(proof)
  }
  return [...byKey.values()]
}
