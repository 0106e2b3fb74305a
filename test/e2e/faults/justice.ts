import { type BatchHistory, type FaultRecord, publicClientOf, readBatchHistory } from '@assay/chain'
import { faultManagerAbi, type Network } from '@assay/protocol'
import type { Hex } from 'viem'
import { until } from '../../until.ts'

/** A lie that was proven, punished and paid for. */
export type Justice = {
  batch: BatchHistory
  fault: FaultRecord
  /** The transaction in which its finder took the bounty out. */
  collectedIn: Hex
  /** From the commit of the batch until then, by the chain's clock. */
  seconds: bigint
}

/** Waits until a fault of the batch is proven, its proceeds shared out, and the bounty taken by its finder. */
export async function justiceOn(network: Network, batchId: Hex): Promise<Justice> {
  const client = publicClientOf(network)
  let justice: Justice | undefined
  let missing = 'the proof'
  const look = async (): Promise<boolean> => {
    const batch = await readBatchHistory(client, network, batchId)
    const fault = batch?.faults[0]
    if (batch === null || fault === undefined) return false
    missing = 'the bounty'
    if (fault.proceeds.bounty === 0n) return false
    const withdrawals = await client.getContractEvents({
      address: network.contracts.FaultManager,
      abi: faultManagerAbi,
      eventName: 'CreditWithdrawn',
      args: { account: fault.prover },
      fromBlock: fault.blockNumber,
      strict: true,
    })
    // Its bounties of several faults may come together.
    const collected = withdrawals.find(({ args }) => args.amount >= fault.proceeds.bounty)
    if (collected === undefined) return false
    const { timestamp } = await client.getBlock({ blockNumber: collected.blockNumber })
    const seconds = timestamp - batch.committedAt
    justice = { batch, fault, collectedIn: collected.transactionHash, seconds }
    return true
  }
  await until(look, () => `${missing} of the fault of batch ${batchId}`)
  return justice as Justice
}
