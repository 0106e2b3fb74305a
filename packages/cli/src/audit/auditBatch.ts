import { type BatchHistory, publicClientOf, readBatchHistory, readCommittedBatch } from '@assay/chain'
import { type Batch, batchEntries, deploymentOf, MAX_BATCH_FILE_BYTES, type Network } from '@assay/protocol'
import { readBatchFile } from '@assay/sdk'
import { type BatchView, openBatchFile } from '@assay/verify'
import type { Address, Hex } from 'viem'
import { CliError, EXIT } from '../cliError.ts'

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
  | { outcome: 'failed' | 'skipped'; reason: string }

export type BatchAudit = BatchHistory & { file: FileAudit }

/** Everything the chain tells of a batch, and its file where it can be had. @throws CliError `not_found` */
export async function auditBatch(network: Network, batchId: Hex): Promise<BatchAudit> {
  const client = publicClientOf(network)
  const history = await readBatchHistory(client, network, batchId)
  if (history === null) {
    throw new CliError('The chain knows no such batch.', {
      exitCode: EXIT.failed,
      code: 'not_found',
      facts: { batchId },
      next: 'A batch id stands in the receipt of an answer, and in the event of its commit.',
    })
  }
  return { ...history, file: await auditFile(network, await readCommittedBatch(client, network, batchId)) }
}

async function auditFile(network: Network, committed: BatchView | null): Promise<FileAudit> {
  if (committed === null)
    return { outcome: 'skipped', reason: 'a receipt that was forced in stands on chain itself' }
  let file: Uint8Array | undefined
  try {
    file = await readBatchFile(network, committed.batchId, MAX_BATCH_FILE_BYTES)
  } catch {
    return { outcome: 'skipped', reason: 'the gateway does not answer' }
  }
  if (file === undefined) return { outcome: 'skipped', reason: 'the gateway does not have it' }
  const opened = openBatchFile(file, committed, deploymentOf(network))
  return opened.kind === 'batch' ? contentsOf(opened.batch) : { outcome: 'failed', reason: opened.reason }
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
