import {
  type Batch,
  type Deployment,
  dataHashOf,
  MAX_BATCH_FILE_BYTES,
  parseBatchFile,
} from '@assay/protocol'
import type { BatchView } from './chainView.ts'
import { same } from './step.ts'

export type OpenedBatchFile =
  /** Not the bytes that were committed to: says nothing about the batch, ask again or elsewhere. */
  | { kind: 'foreign'; reason: string }
  /** The committed bytes, and they are no batch or not the one on chain: the committer's fault. */
  | { kind: 'invalid'; reason: string }
  | { kind: 'batch'; batch: Batch }

/** Why bytes from a stranger are not the committed ones; undefined where they are. */
export function foreignBytes(file: Uint8Array, onChain: Pick<BatchView, 'dataHash'>): string | undefined {
  if (file.length > MAX_BATCH_FILE_BYTES) return 'the file is too large'
  if (file.length === 0 || !same(dataHashOf(file), onChain.dataHash)) {
    return 'the bytes are not those of the committed hash'
  }
  return undefined
}

/** Whether bytes from a stranger are the file of the committed batch, and whether that file holds what the chain says. */
export function openBatchFile(file: Uint8Array, onChain: BatchView, deployment: Deployment): OpenedBatchFile {
  const foreign = foreignBytes(file, onChain)
  if (foreign !== undefined) return { kind: 'foreign', reason: foreign }
  let batch: Batch
  try {
    batch = parseBatchFile(file, deployment)
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'it cannot be read'
    return { kind: 'invalid', reason }
  }
  const { header } = batch
  const equal =
    same(batch.batchId, onChain.batchId) &&
    same(header.committer, onChain.committer) &&
    header.height === onChain.height &&
    same(header.root, onChain.root) &&
    header.sum === onChain.sum &&
    header.exposure === onChain.exposure &&
    header.count === onChain.count
  return equal
    ? { kind: 'batch', batch }
    : { kind: 'invalid', reason: 'the file and the header on chain differ' }
}
