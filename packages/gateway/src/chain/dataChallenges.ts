import { blockRanges, type Sender } from '@assay/chain'
import { type DataSibling, dataChallengeAbi, type Network, type proveReceiptAt } from '@assay/protocol'
import type { DataDemand } from '@assay/store'
import { type Hex, type PublicClient, toHex } from 'viem'

/** What meets a demand: the part itself, or that the file ends before it. */
export type DataAnswer =
  | { kind: 'chunk'; length: bigint; chunk: Uint8Array; siblings: DataSibling[] }
  | { kind: 'end'; length: bigint; chunkRoot: Hex }
  | ({ kind: 'receipt' } & ReturnType<typeof proveReceiptAt>)

/** Demands for parts of batches, as the gateway reads and answers them. */
export type DataChallenges = {
  /** Demands made in blocks `from` to `to`, both inclusive, about anybody's batches. */
  demands(from: bigint, to: bigint): Promise<DataDemand[]>
  /** @returns state one of `CHALLENGE_STATE`; deadline Unix seconds, as far as known now */
  challenge(challengeId: Hex): Promise<{ state: number; deadline: bigint }>
  answer(challengeId: Hex, answer: DataAnswer): Promise<Hex>
}

export function connectDataChallenges(
  network: Network,
  client: PublicClient,
  sender: Sender,
): DataChallenges {
  const contract = { address: network.contracts.DataChallenge, abi: dataChallengeAbi } as const
  return {
    async demands(from, to) {
      const found: DataDemand[] = []
      for (const range of blockRanges(from, to)) {
        const logs = await client.getContractEvents({
          ...contract,
          ...range,
          eventName: 'PartDemanded',
          strict: true,
        })
        for (const { args, blockNumber } of logs) {
          const { challengeId, batchId, part, index } = args
          // The contract bounds the index by 4,096.
          found.push({ challengeId, batchId, part, index: Number(index), block: blockNumber })
        }
      }
      return found
    },
    async challenge(challengeId) {
      const read = { ...contract, args: [challengeId] } as const
      const [{ state }, deadline] = await Promise.all([
        client.readContract({ ...read, functionName: 'challenge' }),
        client.readContract({ ...read, functionName: 'deadlineOf' }),
      ])
      return { state, deadline }
    },
    async answer(challengeId, answer) {
      const { transactionHash } = await sender.send({ ...contract, ...callOf(challengeId, answer) })
      return transactionHash
    },
  }
}

function callOf(challengeId: Hex, answer: DataAnswer): { functionName: string; args: readonly unknown[] } {
  switch (answer.kind) {
    case 'chunk':
      return {
        functionName: 'show',
        args: [challengeId, answer.length, toHex(answer.chunk), answer.siblings],
      }
    case 'end':
      return { functionName: 'showEnd', args: [challengeId, answer.length, answer.chunkRoot] }
    case 'receipt':
      return {
        functionName: 'showReceipt',
        args: [challengeId, answer.entry, answer.signature, answer.path],
      }
  }
}
