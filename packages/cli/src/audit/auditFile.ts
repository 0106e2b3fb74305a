import { fetchBounded, isLocal, publicClientOf } from '@assay/chain'
import {
  type Batch,
  batchEntries,
  deploymentOf,
  inferenceEscrowAbi,
  MAX_BATCH_FILE_BYTES,
  type Network,
  statedBatch,
} from '@assay/protocol'
import { readBatchFile } from '@assay/sdk'
import { type BatchView, foreignBytes, openBatchFile } from '@assay/verify'
import type { Address, Hex } from 'viem'

/** What the batch file holds, compared with what was committed. */
export type FileAudit =
  | {
      outcome: 'passed'
      /** OPG base units. */
      sum: bigint
      nodes: readonly Address[]
      payers: readonly Address[]
      requests: readonly Hex[]
    }
  /** `requests` where the committed bytes can be read, whatever is wrong with them. */
  | { outcome: 'failed' | 'skipped'; reason: string; requests?: readonly Hex[] }

/** For a file of 8 MiB, milliseconds. */
const FETCH_TIMEOUT_MS = 20_000

/** Looks for the file of a batch and into it. */
export async function auditFile(network: Network, committed: BatchView): Promise<FileAudit> {
  const file = await findFile(network, committed)
  if (typeof file === 'string') return { outcome: 'skipped', reason: file }
  const opened = openBatchFile(file, committed, deploymentOf(network))
  return opened.kind === 'batch'
    ? contentsOf(opened.batch)
    : { outcome: 'failed', reason: opened.reason, ...requestsIn(file) }
}

/** The committed bytes, from whoever committed them, else from the network's own gateway; or why they are not to be had. */
async function findFile(network: Network, committed: BatchView): Promise<Uint8Array | string> {
  const till = await publicClientOf(network).readContract({
    address: network.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    functionName: 'tillUrl',
    args: [committed.committer],
  })
  const options = { maxBytes: MAX_BATCH_FILE_BYTES, timeoutMs: FETCH_TIMEOUT_MS, devnet: isLocal(network) }
  const url = `${till.replace(/\/+$/, '')}/v1/batches/${committed.batchId}/data`
  const sources: (() => Promise<Uint8Array | undefined>)[] = [
    async () => (till === '' ? undefined : fetchBounded(url, options)),
    () => readBatchFile(network, committed.batchId, MAX_BATCH_FILE_BYTES),
  ]
  let why = till === '' ? 'its committer says nowhere that it serves it' : 'its committer does not serve it'
  for (const fetchIt of sources) {
    try {
      const file = await fetchIt()
      if (file === undefined) continue
      const foreign = foreignBytes(file, committed)
      if (foreign === undefined) return file
      why = foreign
    } catch {
      // One source less.
    }
  }
  return why
}

function contentsOf(batch: Batch): FileAudit {
  const receipts = batchEntries(batch).map(({ receipt }) => receipt)
  return {
    outcome: 'passed',
    sum: batch.header.sum,
    nodes: [...new Set(receipts.map(({ node }) => node))],
    payers: [...new Set(receipts.map(({ payer }) => payer))],
    requests: receipts.map(({ requestId }) => requestId),
  }
}

/** What the file states, though its root is another. */
function requestsIn(file: Uint8Array): { requests?: readonly Hex[] } {
  try {
    return { requests: batchEntries(statedBatch(file)).map(({ receipt }) => receipt.requestId) }
  } catch {
    return {}
  }
}
