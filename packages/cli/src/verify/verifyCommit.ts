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
import { BATCH_STATE, verifyReceipt } from '@assay/verify'
import type { Hex, TransactionReceipt } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import type { Verification } from '../commands/verify.ts'

/** Checks every receipt of the batch that a transaction committed. */
export async function verifyCommit(network: Network, mined: TransactionReceipt): Promise<Verification> {
  const batchId = committedBatch(network, mined)
  const batch = await loadBatch(network, batchId)
  const client = publicClientOf(network)
  const reports: Verification['reports'] = []
  let state: number = BATCH_STATE.none
  for (const signed of batchEntries(batch)) {
    const view = await readChainView(client, network, signed, { inclusion: { batchId } })
    if (view.batch === null || view.batch.root !== batch.header.root) throw differs(batchId)
    state = view.batch.state
    const report = await verifyReceipt(signed, view)
    reports.push({ name: signed.receipt.requestId, report: { ...report, trust: receiptTrust(report) } })
  }
  const { count } = batch.header
  return {
    subject: mined.transactionHash,
    reports,
    isGivenUp: state === BATCH_STATE.void || state === BATCH_STATE.expired,
    note: `Batch ${batchId}: ${count} receipt${count === 1n ? '' : 's'}, file, root and sum as committed on chain. ${standing(state)}`,
  }
}

/** Where the chain has got to with it. Receipts may be sound in a batch that settles nothing. */
function standing(state: number): string {
  switch (state) {
    case BATCH_STATE.final:
      return 'It is final.'
    case BATCH_STATE.void:
      return 'It is void: nothing is settled by it.'
    case BATCH_STATE.expired:
      return 'It expired without a quorum: nothing is settled by it.'
    default:
      return 'It is not final yet.'
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
