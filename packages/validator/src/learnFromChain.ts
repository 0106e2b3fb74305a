import { blockRanges, readBatch } from '@assay/chain'
import { type Network, settlementAbi } from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'
import type { SigningRecord } from './signingRecord.ts'

/** As far back as a record without a cursor is checked: ten days of blocks of two seconds, for which stake answers. */
const LOOK_BACK = 432_000n
/** Blocks before the cursor that are read again, for what was sent and not seen. */
const OVERLAP = 64n

/**
 * Before a validator signs anything: whether the chain shows statements of its own that its record does not know. Then
 * the record is older than the last signature (a backup was put back, a disk was lost), so nothing new is signed about
 * what happened up to now; what the chain shows is written down. The same where a file was read in since the last start.
 * @returns the new floor, where one was raised
 */
export async function learnFromChain(parameters: {
  client: PublicClient
  network: Network
  record: SigningRecord
  operator: Address
  /** First block that can hold a statement. */
  fromBlock: bigint
}): Promise<{ floor: bigint; forgotten: number } | undefined> {
  const { client, network, record, operator, fromBlock } = parameters
  const { deploymentId } = network
  const head = await client.getBlockNumber({ cacheTime: 0 })
  const cursor = record.cursor(deploymentId)
  const back = cursor === undefined ? head - LOOK_BACK : cursor - OVERLAP
  let forgotten = 0
  for (const range of blockRanges(back > fromBlock ? back : fromBlock, head)) {
    const logs = await client.getContractEvents({
      ...range,
      address: network.contracts.Settlement,
      abi: settlementAbi,
      eventName: 'BatchAttested',
      args: { validator: operator },
      strict: true,
    })
    for (const { args } of logs) {
      if (record.attestationOf(deploymentId, args.batchId) !== undefined) continue
      forgotten++
      await adopt(args.batchId, args.verdict)
    }
  }
  if (forgotten === 0 && record.floor(deploymentId) !== 'unknown') return undefined
  record.raiseFloor(deploymentId, head)
  return { floor: head, forgotten }

  async function adopt(batchId: Hex, verdict: number): Promise<void> {
    const batch = await readBatch(client, network, batchId)
    if (batch === null) throw new Error(`The chain shows a statement on batch ${batchId}, and no such batch.`)
    const { committer, height, root } = batch
    // Unknown floor first: a crash in the middle must not leave a record that looks whole.
    record.merge(deploymentId, {
      attestations: [{ deploymentId, batchId, committer, height, root, verdict }],
      votes: [],
      floor: undefined,
    })
  }
}
