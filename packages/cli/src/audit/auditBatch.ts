import {
  type BatchHistory,
  publicClientOf,
  readBatchHistory,
  readCommittedBatch,
  readForcedBatch,
} from '@assay/chain'
import type { Network } from '@assay/protocol'
import type { Hex } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import { auditFile, type FileAudit } from './auditFile.ts'
import { auditPayments, type PaymentsAudit } from './auditPayments.ts'

export type BatchAudit = BatchHistory & { file: FileAudit; money: PaymentsAudit }

/**
 * Everything the chain tells of a batch, its file where it can be had, and where the money of its payers is.
 * @throws CliError `not_found`
 */
export async function auditBatch(network: Network, batchId: Hex): Promise<BatchAudit> {
  const client = publicClientOf(network)
  const history = await readBatchHistory(client, network, batchId)
  if (history === null) {
    throw new CliError('The chain knows no such batch.', {
      exitCode: EXIT.failed,
      code: 'not_found',
      facts: { batchId },
      next: 'assay verify <request id> names the batch of an answer; so does the event of its commit.',
    })
  }
  const committed = await readCommittedBatch(client, network, batchId)
  const file =
    committed === null ? await forcedReceipt(network, batchId) : await auditFile(network, committed)
  return { ...history, file, money: await auditPayments(client, network, history, file.requests) }
}

async function forcedReceipt(network: Network, batchId: Hex): Promise<FileAudit> {
  const forced = await readForcedBatch(publicClientOf(network), network, batchId)
  const reason = 'a receipt that was forced in stands on chain itself'
  return {
    outcome: 'skipped',
    reason,
    ...(forced === null ? {} : { requests: [forced.entry.receipt.requestId] }),
  }
}
