import { publicClientOf, readChainView } from '@assay/chain'
import {
  type Batch,
  batchEntries,
  deploymentOf,
  MAX_BATCH_FILE_BYTES,
  type Network,
  parseBatchFile,
} from '@assay/protocol'
import { readBatchFile, receiptTrust } from '@assay/sdk'
import { verifyReceipt } from '@assay/verify'
import type { Hex, TransactionReceipt } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import type { Verification } from '../commands/verify.ts'

/** Checks every receipt of the batch that a transaction committed. */
export async function verifyCommit(network: Network, mined: TransactionReceipt): Promise<Verification> {
  const batchId = committedBatch(network, mined)
  const batch = await loadBatch(network, batchId)
  const client = publicClientOf(network)
  const reports: Verification['reports'] = []
  for (const signed of batchEntries(batch)) {
    const view = await readChainView(client, network, signed, { inclusion: { batchId } })
    if (view.batch === null || view.batch.root !== batch.header.root) throw differs(batchId)
    const report = await verifyReceipt(signed, view)
    reports.push({ name: signed.receipt.requestId, report: { ...report, trust: receiptTrust(report) } })
  }
  return {
    subject: mined.transactionHash,
    reports,
    note: `Batch ${batchId}: ${batch.header.count} receipt${batch.header.count === 1n ? '' : 's'}, file, root and sum as committed on chain.`,
  }
}

/** Settlement's event has the batch id as its first indexed argument; other logs of the transaction are not Settlement's. */
function committedBatch(network: Network, mined: TransactionReceipt): Hex {
  const settlement = network.contracts.Settlement.toLowerCase()
  const log = mined.logs.find(
    (entry) => entry.address.toLowerCase() === settlement && entry.topics.length === 3,
  )
  const batchId = log?.topics[1]
  if (mined.status === 'success' && batchId !== undefined) return batchId
  throw new CliError('This transaction did not commit a batch to this network.', {
    exitCode: EXIT.failed,
    code: 'not_a_commit',
    facts: { transaction: mined.transactionHash, settlement: network.contracts.Settlement },
  })
}

async function loadBatch(network: Network, batchId: Hex): Promise<Batch> {
  const file = await readBatchFile(network, batchId, MAX_BATCH_FILE_BYTES)
  if (file === undefined) {
    throw new CliError('The gateway does not have the file of this batch.', {
      exitCode: EXIT.failed,
      code: 'not_found',
      facts: { batchId, gateway: network.gatewayUrl },
    })
  }
  const batch = parseBatchFile(file, deploymentOf(network))
  if (batch.batchId !== batchId) throw differs(batchId)
  return batch
}

function differs(batchId: Hex): CliError {
  return new CliError('The batch file is not the one that was committed.', {
    exitCode: EXIT.failed,
    code: 'batch_differs',
    facts: { batchId },
    next: 'Do not trust this gateway; its data and the chain disagree.',
  })
}
