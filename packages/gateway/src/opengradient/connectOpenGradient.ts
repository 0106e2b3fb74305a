import type { Sender } from '@assay/chain'
import {
  type BatchEntry,
  contractEntry,
  type InclusionProof,
  type Network,
  openGradientRegistryAbi,
  openGradientSettlementAbi,
  settlementAbi,
} from '@assay/protocol'
import type { TeeStatement } from '@assay/protocol/opengradient'
import { type Address, bytesToHex, type Hex, hexToBytes, type PublicClient, zeroHash } from 'viem'

/** A final batch and the file that its id commits to. */
export type FinalBatch = { batchId: Hex; dataHash: Hex }

/** What the profile says to the chain. Both tellings may be repeated: the second finds what the first did. */
export type OpenGradientChain = {
  /** The RSA key that is registered beside a receipt key, undefined while there is none. */
  teeOf(key: Address): Promise<{ id: Hex; publicKey: Uint8Array } | undefined>
  /** @returns hash of the mined transaction that holds the event */
  tellBatch(batch: FinalBatch, root: Hex, size: number): Promise<Hex>
  tellAnswer(
    batch: FinalBatch,
    answer: { entry: BatchEntry; path: InclusionProof; statement: TeeStatement },
  ): Promise<Hex>
}

export function connectOpenGradient(
  network: Network,
  client: PublicClient,
  sender: Sender,
): OpenGradientChain | undefined {
  const { profile } = network
  if (profile === undefined) return undefined
  const registry = { address: profile.registry, abi: openGradientRegistryAbi } as const
  const settlement = { address: profile.settlement, abi: openGradientSettlementAbi } as const

  const committedBlock = async (batchId: Hex): Promise<bigint> => {
    const at = { address: network.contracts.Settlement, abi: settlementAbi } as const
    return (await client.readContract({ ...at, functionName: 'batch', args: [batchId] })).committedBlock
  }
  const found = (hash: Hex | null | undefined): Hex => {
    if (hash === null || hash === undefined) throw new Error('The settlement event is not on the chain yet.')
    return hash
  }

  return {
    async teeOf(key) {
      const id = await client.readContract({ ...registry, functionName: 'teeOf', args: [key] })
      if (id === zeroHash) return undefined
      const { publicKey } = await client.readContract({ ...registry, functionName: 'getTEE', args: [id] })
      return { id, publicKey: hexToBytes(publicKey) }
    },
    async tellBatch({ batchId, dataHash }, root, size) {
      const told = await client.readContract({ ...settlement, functionName: 'rootOf', args: [batchId] })
      if (told === zeroHash) {
        const args = [batchId, dataHash, root, BigInt(size)] as const
        return (await sender.send({ ...settlement, functionName: 'settleBatch', args })).transactionHash
      }
      const fromBlock = await committedBlock(batchId)
      const query = {
        ...settlement,
        eventName: 'BatchSettlement',
        args: { merkleRoot: told },
        fromBlock,
      } as const
      return found((await client.getContractEvents(query))[0]?.transactionHash)
    },
    async tellAnswer({ batchId, dataHash }, { entry, path, statement }) {
      const { requestId } = entry.receipt
      const { teeId, requestHash, outputHash, signature, timestamp } = statement
      if (!(await client.readContract({ ...settlement, functionName: 'isTold', args: [requestId] }))) {
        const said = {
          teeId,
          inputHash: requestHash,
          outputHash,
          timestamp: BigInt(timestamp),
          signature: bytesToHex(signature),
        }
        const args = [batchId, dataHash, contractEntry(entry), path, said] as const
        return (await sender.send({ ...settlement, functionName: 'settleIndividual', args })).transactionHash
      }
      const fromBlock = await committedBlock(batchId)
      const args = { teeId, ethAddress: entry.receipt.payer }
      const query = { ...settlement, eventName: 'IndividualSettlement', args, fromBlock } as const
      const events = await client.getContractEvents(query)
      return found(events.find((event) => event.args.signature === bytesToHex(signature))?.transactionHash)
    },
  }
}
