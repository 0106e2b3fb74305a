import { type BatchEntry, type Network, NO_GRANT, type Receipt, settlementAbi } from '@assay/protocol'
import { BATCH_STATE, type BatchRecord, type BatchView } from '@assay/verify'
import type { Address, Hex, PublicClient } from 'viem'

/** Settlement's record of a batch, null where the chain knows no such batch. @throws viem's errors where it does not answer */
export async function readBatch(
  client: PublicClient,
  network: Network,
  batchId: Hex,
  options: { blockNumber?: bigint | undefined } = {},
): Promise<BatchRecord | null> {
  const batch = await client.readContract({
    address: network.contracts.Settlement,
    abi: settlementAbi,
    functionName: 'batch',
    args: [batchId],
    ...(options.blockNumber === undefined ? {} : { blockNumber: options.blockNumber }),
  })
  if (batch.state === BATCH_STATE.none) return null
  const { challenges: _, forced: __, ...known } = batch
  return { ...known, batchId }
}

/**
 * The record of a committed batch with the data hash and sum, which stand in the event of its commit alone: asked of the one
 * block that the record names.
 * @returns null where the chain knows no such batch, or holds no such event, as of a receipt that was forced in
 * @throws viem's errors where it does not answer
 */
export async function readCommittedBatch(
  client: PublicClient,
  network: Network,
  batchId: Hex,
): Promise<BatchView | null> {
  const record = await readBatch(client, network, batchId)
  if (record === null) return null
  const [commit] = await client.getContractEvents({
    address: network.contracts.Settlement,
    abi: settlementAbi,
    eventName: 'BatchCommitted',
    args: { batchId },
    fromBlock: record.committedBlock,
    toBlock: record.committedBlock,
    strict: true,
  })
  if (commit === undefined) return null
  const { dataHash, groups } = commit.args
  return { ...record, dataHash, sum: groups.reduce((sum, group) => sum + group.sum, 0n) }
}

/**
 * The receipt that somebody forced in as this batch: it stands in the event alone.
 * @returns null where the chain knows no such batch, or one of a gateway
 * @throws viem's errors where it does not answer
 */
export async function readForcedBatch(
  client: PublicClient,
  network: Network,
  batchId: Hex,
): Promise<{ record: BatchRecord; entry: BatchEntry } | null> {
  const record = await readBatch(client, network, batchId)
  if (record === null) return null
  const [forced] = await client.getContractEvents({
    address: network.contracts.Settlement,
    abi: settlementAbi,
    eventName: 'ReceiptForced',
    args: { batchId },
    fromBlock: record.committedBlock,
    toBlock: record.committedBlock,
    strict: true,
  })
  if (forced === undefined) return null
  const { entry, signature } = forced.args
  const { grantId: id, counter } = entry
  const signed = { receipt: lowerCased(entry.receipt), signature }
  return { record, entry: id === NO_GRANT ? signed : { ...signed, grant: { id, counter } } }
}

/** Addresses as the protocol writes them, whatever the decoder thinks of their spelling. */
function lowerCased(receipt: Receipt): Receipt {
  const lower = (address: Address) => address.toLowerCase() as Address
  return {
    ...receipt,
    payer: lower(receipt.payer),
    node: lower(receipt.node),
    key: lower(receipt.key),
    committer: lower(receipt.committer),
  }
}
