import { blockRanges, type Sender } from '@assay/chain'
import {
  type DataSibling,
  dataChallengeAbi,
  type Network,
  type proveReceiptAt,
  type proveTapeAt,
  type WordRun,
} from '@assay/protocol'
import type { DataDemand } from '@assay/store'
import { type Hex, type PublicClient, toHex } from 'viem'

/** What meets a demand in one transaction: the part itself, or that the file ends before it. */
type WholeAnswer =
  | { kind: 'chunk'; length: bigint; chunk: Uint8Array; siblings: DataSibling[] }
  | { kind: 'end'; length: bigint; chunkRoot: Hex }
  | ({ kind: 'receipt' } & ReturnType<typeof proveReceiptAt>)
/** A tape is shown part by part, once it is known where its root stands. */
type TapeAnswer = { kind: 'tape'; stated: ReturnType<typeof proveTapeAt>; parts: readonly WordRun[] }
export type DataAnswer = WholeAnswer | TapeAnswer

/** Parts of one tape that are sent at once: two or three blocks of Base, a megabyte of calldata. */
const PARTS_AT_ONCE = 64
/** No part takes more, unless it ends the challenge (docs/gas.md). */
const PART_GAS = 1_000_000n

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

  /** What is on chain already, by an attempt that died or by somebody else, is not shown again. */
  async function showTape(challengeId: Hex, { stated, parts }: TapeAnswer): Promise<Hex> {
    const tape = { ...contract, functionName: 'tapeOf', args: [challengeId] } as const
    const [, words] = await client.readContract(tape)
    if (words === 0)
      await sender.send({ ...contract, functionName: 'showTapeRoot', args: [challengeId, stated] })
    const shown = await Promise.all(
      parts.map((_, part) => {
        const args = [challengeId, BigInt(part)] as const
        return client.readContract({ ...contract, functionName: 'isPartShown', args })
      }),
    )
    const left = parts.flatMap((run, part) => (shown[part] ? [] : [{ part, run }]))
    const show = ({ part, run }: { part: number; run: WordRun }, gas?: bigint) =>
      sender.send({ ...contract, functionName: 'showTape', args: [challengeId, BigInt(part), run], gas })
    // The last one by itself: it ends the challenge, and how much gas that takes shows when the others are mined.
    const last = left.pop()
    if (last === undefined) throw new Error('A tape was shown whole by somebody else meanwhile.')
    for (let from = 0; from < left.length; from += PARTS_AT_ONCE)
      await Promise.all(left.slice(from, from + PARTS_AT_ONCE).map((part) => show(part, PART_GAS)))
    return (await show(last)).transactionHash
  }

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
      if (answer.kind === 'tape') return showTape(challengeId, answer)
      const { transactionHash } = await sender.send({ ...contract, ...callOf(challengeId, answer) })
      return transactionHash
    },
  }
}

function callOf(challengeId: Hex, answer: WholeAnswer): { functionName: string; args: readonly unknown[] } {
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
