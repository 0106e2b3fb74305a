import { blockRanges, readBatch } from '@assay/chain'
import {
  contractEntry,
  inferenceEscrowAbi,
  type Network,
  type SignedReceipt,
  settlementAbi,
} from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'
import type { Sender } from '../chain/keyRegistry.ts'

/** What forcing a receipt in asks of the chain and says to it; writes resolve once mined. */
export type ForceChain = {
  /** Of the latest block, Unix seconds. */
  now: () => Promise<bigint>
  /** Highest height used in the operator's name. */
  lastHeight: () => Promise<bigint>
  /** null where the chain knows no such batch. */
  batch: (batchId: Hex) => Promise<{ state: number; root: Hex } | null>
  /** Whose payment stands behind a request, and where it stands (`PAYMENT_STATE`). */
  payment: (requestId: Hex) => Promise<{ payer: Address; gateway: Address; state: number }>
  /** Where a gateway says that it is reached. */
  gatewayUrl: (gateway: Address) => Promise<string>
  /** Batches of one receipt that anybody forced in for a request since a block; whether it was the true one is not said. */
  forcedSince: (requestId: Hex, block: bigint) => Promise<Hex[]>
  force: (height: bigint, signed: SignedReceipt) => Promise<void>
  /** Pays out a receipt of a final batch that holds nothing else. */
  settle: (batchId: Hex, signed: SignedReceipt) => Promise<void>
}

export function forceChain(parameters: {
  client: PublicClient
  sender: Sender
  network: Network
}): ForceChain {
  const { client, sender, network } = parameters
  const settlement = { address: network.contracts.Settlement, abi: settlementAbi } as const
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  return {
    now: async () => (await client.getBlock({ blockTag: 'latest' })).timestamp,
    lastHeight: () =>
      client.readContract({ ...settlement, functionName: 'lastHeight', args: [sender.address] }),
    batch: (batchId) => readBatch(client, network, batchId),
    async payment(requestId) {
      const [payer, gateway, , , , state] = await client.readContract({
        ...escrow,
        functionName: 'payment',
        args: [requestId],
      })
      return { payer, gateway, state }
    },
    gatewayUrl: (gateway) => client.readContract({ ...escrow, functionName: 'tillUrl', args: [gateway] }),
    async forcedSince(requestId, block) {
      const found: Hex[] = []
      for (const range of blockRanges(block, await client.getBlockNumber({ cacheTime: 0 }))) {
        const logs = await client.getContractEvents({
          ...settlement,
          ...range,
          eventName: 'ReceiptForced',
          args: { requestId },
          strict: true,
        })
        found.push(...logs.map(({ args }) => args.batchId))
      }
      return found
    },
    async force(height, signed) {
      await sender.send({
        ...settlement,
        functionName: 'force',
        args: [height, contractEntry(signed), signed.signature],
      })
    },
    async settle(batchId, signed) {
      const path = { leafSiblings: [], rowSiblings: [], groupSiblings: [] }
      const items = [{ batchId, entry: contractEntry(signed), path }]
      await sender.send({ ...escrow, functionName: 'settle', args: [items] })
    },
  }
}
