import {
  type Batch,
  type ChunkTree,
  chunkTree,
  DATA_PART,
  type Deployment,
  entryAt,
  MODE,
  parseBatchFile,
  proveReceiptAt,
  proveTapeAt,
} from '@assay/protocol'
import type { DataDemand } from '@assay/store'
import { recordTape, tapeParts } from '@assay/verify'
import { type Hex, zeroHash } from 'viem'
import type { DataAnswer } from '../chain/dataChallenges.ts'

/** Batches kept open: whoever demands every part of one must not have it hashed anew for each. */
const MAX_OPENED = 4

type Opened = { file: Uint8Array; tree?: ChunkTree; batch?: Batch }

/**
 * Makes answers to demands out of batch files; each file is read, hashed and parsed once for all demands of its batch.
 * @param read the file's bytes; a batch without a file is an error, never an empty answer
 */
export function createAnswers(
  deployment: Deployment,
  read: (batchId: Hex) => Promise<Uint8Array>,
): (demand: Pick<DataDemand, 'batchId' | 'part' | 'index'>) => Promise<DataAnswer> {
  const opened = new Map<Hex, Promise<Opened>>()

  function open(batchId: Hex): Promise<Opened> {
    const known = opened.get(batchId)
    if (known !== undefined) return known
    const fresh = read(batchId).then((file): Opened => ({ file }))
    fresh.catch(() => opened.delete(batchId))
    opened.set(batchId, fresh)
    const oldest = opened.size > MAX_OPENED ? opened.keys().next().value : undefined
    if (oldest !== undefined) opened.delete(oldest)
    return fresh
  }

  return async ({ batchId, part, index }) => {
    const held = await open(batchId)
    if (part !== DATA_PART.chunk) {
      held.batch ??= parseBatchFile(held.file, deployment)
      return part === DATA_PART.tape ? showTape(held.batch, index) : showReceipt(held.batch, index)
    }
    held.tree ??= chunkTree(held.file)
    const length = BigInt(held.file.length)
    if (index >= held.tree.count) return { kind: 'end', length, chunkRoot: held.tree.root }
    return { kind: 'chunk', length, ...held.tree.prove(index) }
  }
}

function showReceipt(batch: Batch, index: number): DataAnswer {
  return { kind: 'receipt', ...proveReceiptAt(batch, index) }
}

/** The tape of the check of a proof is not kept: it follows from what is. */
function showTape(batch: Batch, index: number): DataAnswer {
  const { entry } = entryAt(batch, index)
  const { mode, evidenceHash } = entry.receipt
  // A receipt that nothing was to be proven of is itself the answer.
  if (mode !== MODE.zk || evidenceHash === zeroHash) return showReceipt(batch, index)
  const tape = recordTape(entry)
  if (tape === undefined) throw new Error('The proof of a batch of ours cannot be read.')
  return { kind: 'tape', stated: proveTapeAt(batch, index, tape.circuit), parts: tapeParts(tape) }
}
