import assert from 'node:assert/strict'
import { publicClientOf, readBatch } from '@assay/chain'
import { type Batch, contractEntry, inferenceEscrowAbi, proveInclusion } from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import type { Hex } from 'viem'
import { until } from '../../until.ts'
import type { Player } from './liar.ts'
import type { Stage } from './stage.ts'

/** Waits until validators have made a batch final and settles one receipt of it. @returns what the payer gets back */
export async function settledOnChain(
  { network }: Stage,
  by: Player,
  batch: Batch,
  requestId: Hex,
): Promise<bigint> {
  const client = publicClientOf(network)
  let state: number | undefined
  await until(
    async () => {
      state = (await readBatch(client, network, batch.batchId))?.state
      return state !== undefined && state >= BATCH_STATE.final
    },
    () => `batch ${batch.batchId} to be final, it is in state ${state}`,
  )
  assert.equal(state, BATCH_STATE.final)
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const { entry, ...path } = proveInclusion(batch, requestId)
  const args = [[{ batchId: batch.batchId, entry: contractEntry(entry), path }]] as const
  const { blockNumber } = await by.sender.send({ ...escrow, functionName: 'settle', args })
  const [event] = await client.getContractEvents({
    ...escrow,
    eventName: 'PaymentSettled',
    args: { requestId },
    fromBlock: blockNumber,
    toBlock: blockNumber,
    strict: true,
  })
  return event?.args.refund ?? 0n
}
