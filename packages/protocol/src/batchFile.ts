import type { Address, Hex } from 'viem'
import {
  type Batch,
  buildBatch,
  MAX_BATCH_FILE_BYTES,
  MAX_BATCH_RECEIPTS,
  NO_GRANT,
  type RowKey,
} from './batch.ts'
import { type Json, parseCanonicalJson, parseJson } from './canonicalJson.ts'
import type { Deployment } from './domain.ts'
import { AssayError } from './errors.ts'
import { proofAttachmentFromJson } from './proofAttachment.ts'
import type { BatchEntry } from './receipt.ts'
import { receiptFromJson } from './receiptJson.ts'
import { readAddress, readArray, readBytes, readObject, readString, readUint } from './schema.ts'

/** A row as a batch file states it, not yet compared with what its receipts say. */
type StatedRow = { key: RowKey; entries: BatchEntry[] }

/** @throws AssayError `malformed` */
function rowFromJson(value: Json, where: string): StatedRow {
  const row = readObject(value, where, ['grantId', 'modelId', 'node', 'payer', 'priceVersion', 'receipts'])
  const key = {
    node: readAddress(row.node, `${where}.node`),
    payer: readAddress(row.payer, `${where}.payer`),
    grantId: readBytes(row.grantId, `${where}.grantId`, 32),
    modelId: readBytes(row.modelId, `${where}.modelId`, 32),
    priceVersion: readUint(row.priceVersion, `${where}.priceVersion`, 64),
  }
  const entries = readArray(row.receipts, `${where}.receipts`, MAX_BATCH_RECEIPTS).map((entry, at) => {
    const place = `${where}.receipts[${at}]`
    const members = readObject(entry, place, ['counter', 'receipt', 'signature'], ['tape', 'zk'])
    const counter = readUint(members.counter, `${place}.counter`, 64)
    const signed = {
      receipt: receiptFromJson(members.receipt, `${place}.receipt`),
      signature: readBytes(members.signature, `${place}.signature`, 65),
    }
    const proven =
      members.zk === undefined ? signed : { ...signed, zk: provenFromJson(members, `${place}.zk`) }
    return key.grantId === NO_GRANT ? proven : { ...proven, grant: { id: key.grantId, counter } }
  })
  return { key, entries }
}

/** @throws AssayError `malformed` */
function provenFromJson({ tape, zk }: { [name: string]: Json }, where: string) {
  const parts = readObject(zk, where, ['card', 'proof', 'request', 'response'])
  return proofAttachmentFromJson({ ...parts, ...(tape === undefined ? {} : { tape }) } as Json, where)
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}

/** What a batch file states, read and not judged. */
export type StatedBatchFile = { committer: Address; height: bigint; root: Hex; rows: StatedRow[] }

/** @throws AssayError `malformed` | `invalid_batch` */
function statedBatchFile(json: Json): StatedBatchFile {
  const members = readObject(json, 'batch', [
    'chainId',
    'committer',
    'count',
    'deploymentId',
    'exposure',
    'format',
    'height',
    'root',
    'rows',
    'settlement',
    'sum',
  ])
  readUint(members.sum, 'batch.sum', 128)
  readUint(members.exposure, 'batch.exposure', 128)
  readUint(members.count, 'batch.count', 64)
  if (readString(members.format, 'batch.format') !== 'assay-batch/1') {
    throw new AssayError('The file is not a batch of this version.', { code: 'invalid_batch' })
  }
  return {
    committer: readAddress(members.committer, 'batch.committer'),
    height: readUint(members.height, 'batch.height', 64),
    root: readBytes(members.root, 'batch.root', 32),
    rows: readArray(members.rows, 'batch.rows', MAX_BATCH_RECEIPTS).map((row: Json, at) =>
      rowFromJson(row, `batch.rows[${at}]`),
    ),
  }
}

/** @throws AssayError `malformed` | `non_canonical` | `invalid_batch` */
export function readBatchFile(file: Uint8Array): StatedBatchFile {
  return statedBatchFile(parseCanonicalJson(file, MAX_BATCH_FILE_BYTES))
}

/**
 * Reads a batch file, rebuilds it, and insists that the rebuilt file is byte-identical: canonical form, row order, leaf
 * order, sums, counts and root are all checked by that one comparison.
 * @throws AssayError `malformed` | `non_canonical` | `invalid_batch`
 */
export function parseBatchFile(file: Uint8Array, deployment: Deployment): Batch {
  const { committer, height, root, rows } = statedBatchFile(parseJson(file, MAX_BATCH_FILE_BYTES))
  const receipts = rows.flatMap(({ entries }) => entries)
  const batch = buildBatch({ deployment, committer, height, receipts })
  if (equalBytes(batch.file, file)) return batch
  parseCanonicalJson(file, MAX_BATCH_FILE_BYTES)
  if (batch.header.root !== root) {
    throw new AssayError('The batch file does not hold what it states.', {
      code: 'invalid_batch',
      facts: { root },
    })
  }
  throw new AssayError('The batch file is not the canonical file of its receipts for this deployment.', {
    code: 'invalid_batch',
  })
}
