import {
  type Batch,
  type BatchEntry,
  batchEntries,
  dataFaultProof,
  FAULT_CLASS,
  groupHeaders,
  nodeEquivocationProof,
  ROW_FAULT,
  rowFaultProof,
  sumFaultProof,
  teeFaultProof,
  twiceFaultProof,
  validatorEquivocationProof,
} from '@assay/protocol'
import { type Hex, keccak256 } from 'viem'
import type { Random } from './random.ts'
import { accuseNode } from './sumProof.ts'
import type { Target } from './world.ts'

/** A proof as an adversary hopes that it holds. */
export type Accusation = { label: string; faultClass: number; proof: Hex }

type Kind = { label: string; faultClass: number; accuse(target: Target, random: Random): Hex | undefined }

const KINDS: readonly Kind[] = [
  {
    label: 'tee',
    faultClass: FAULT_CLASS.tee,
    accuse: ({ batches }, random) => onReceipt(batches, random, (batch, id) => teeFaultProof(batch, id)),
  },
  {
    // The receipt stands there, but with a signature from elsewhere.
    label: 'tee, another signature',
    faultClass: FAULT_CLASS.tee,
    accuse: ({ batches, receipts }, random) =>
      onReceipt(batches, random, (batch, id) => {
        const { signature } = receipts.length > 0 ? random.pick(receipts) : { signature: undefined }
        return teeFaultProof(withEntry(batch, id, signature === undefined ? {} : { signature }), id)
      }),
  },
  {
    label: 'node',
    faultClass: FAULT_CLASS.equivocation,
    accuse: ({ receipts, batches }, random) => {
      if (receipts.length === 0) return undefined
      const first = random.pick(receipts)
      // Most often one that has the number in common: on another deployment, perhaps.
      const alike = receipts.filter(({ receipt }) => receipt.seq === first.receipt.seq)
      const second = random.pick(random.chance(0.7) ? alike : receipts)
      const holding = batches.filter((batch) => holds(batch, first.receipt.requestId))
      const batch = holding.length > 0 && random.chance(0.5) ? random.pick(holding) : undefined
      // The receipt takes the place of the one of its request, whichever of the two it is.
      const place = batch && withEntry(batch, first.receipt.requestId, first)
      return nodeEquivocationProof(first, second, place)
    },
  },
  {
    label: 'validator',
    faultClass: FAULT_CLASS.equivocation,
    accuse: ({ attestations }, random) =>
      attestations.length === 0
        ? undefined
        : validatorEquivocationProof(random.pick(attestations), random.pick(attestations)),
  },
  {
    label: 'sum, any node',
    faultClass: FAULT_CLASS.sum,
    accuse: ({ batches }, random) =>
      batches.length === 0 ? undefined : accuseNode(random.pick(batches), random),
  },
  {
    // As if the committer had claimed more than it did.
    label: 'sum, claimed',
    faultClass: FAULT_CLASS.sum,
    accuse: ({ batches }, random) => {
      if (batches.length === 0) return undefined
      const batch = random.pick(batches)
      const claimed = groupHeaders(batch).map((group) => ({
        ...group,
        sum: group.sum + BigInt(random.below(3)),
      }))
      return sumFaultProof(batch, claimed, batch.batchId)
    },
  },
  ...(Object.keys(ROW_FAULT) as (keyof typeof ROW_FAULT)[])
    .filter((kind) => kind !== 'twice')
    .map(
      (kind): Kind => ({
        label: `row, ${kind}`,
        faultClass: FAULT_CLASS.row,
        accuse: ({ batches }, random) =>
          onReceipt(batches, random, (batch, id) => rowFaultProof(kind, batch, id)),
      }),
    ),
  {
    label: 'row, twice',
    faultClass: FAULT_CLASS.row,
    accuse: ({ batches }, random) =>
      onReceipt(batches, random, (batch, id) => {
        const others = batches.filter((other) => other !== batch && holdsCall(other, id))
        return others.length === 0 || !holdsCall(batch, id)
          ? undefined
          : twiceFaultProof(batch, random.pick(others), id)
      }),
  },
  {
    label: 'data',
    faultClass: FAULT_CLASS.data,
    accuse: ({ challenges, batches }, random) => {
      const names = [...challenges, ...batches.map(({ batchId }) => keccak256(batchId))]
      return names.length === 0 ? undefined : dataFaultProof(random.pick(names))
    },
  },
]

/** One accusation of the target, as its own artefacts give it; undefined where the kind chosen finds none. */
export function accuse(target: Target, random: Random): Accusation | undefined {
  const { label, faultClass, accuse: write } = random.pick(KINDS)
  const proof = write(target, random)
  return proof === undefined ? undefined : { label, faultClass, proof }
}

function onReceipt(
  batches: readonly Batch[],
  random: Random,
  write: (batch: Batch, requestId: Hex) => Hex | undefined,
): Hex | undefined {
  if (batches.length === 0) return undefined
  const batch = random.pick(batches)
  return write(batch, random.pick(batchEntries(batch)).receipt.requestId)
}

function holds(batch: Batch, requestId: Hex): boolean {
  return batchEntries(batch).some(({ receipt }) => receipt.requestId === requestId)
}

/** Whether it holds the request under a grant: what is paid by itself is paid once, however often it is batched. */
function holdsCall(batch: Batch, requestId: Hex): boolean {
  return batchEntries(batch).some(
    ({ receipt, grant }) => receipt.requestId === requestId && grant !== undefined,
  )
}

/** The batch with one entry changed under the hashes that it had. */
function withEntry(batch: Batch, requestId: Hex, change: Partial<BatchEntry>): Batch {
  const changed = (entry: BatchEntry) =>
    entry.receipt.requestId === requestId ? { ...entry, ...change } : entry
  const groups = batch.groups.map((group) => ({
    ...group,
    rows: group.rows.map((row) => ({ ...row, receipts: row.receipts.map(changed) })),
  }))
  return { ...batch, groups }
}
