import { blockRanges } from '@assay/chain'
import {
  dataChallengeAbi,
  faultManagerAbi,
  type Network,
  opgAbi,
  settlementAbi,
  teeFaultAbi,
} from '@assay/protocol'
import { type Address, concatHex, type Hex, hexToBytes, type PublicClient } from 'viem'
import { type ContractCall, isRefusal, refusalOf, wouldSucceed } from '../wouldSucceed.ts'

/** The transactions that bring a fault to its end. */
export function faultCalls({ contracts }: Pick<Network, 'contracts'>) {
  const faults = { address: contracts.FaultManager, abi: faultManagerAbi } as const
  const challenges = { address: contracts.DataChallenge, abi: dataChallengeAbi } as const
  return {
    announce: (commitment: Hex) => ({ ...faults, functionName: 'announce', args: [commitment] }) as const,
    prove: (faultClass: number, proof: Hex, salt: Hex) =>
      ({ ...faults, functionName: 'prove', args: [faultClass, proof, salt] }) as const,
    claim: (faultClass: number, proof: Hex) =>
      ({ ...faults, functionName: 'claim', args: [faultClass, proof] }) as const,
    /** Attesters `from` to `to`, exclusive. */
    punish: (faultId: Hex, from: number, to: number) =>
      ({ ...faults, functionName: 'punish', args: [faultId, BigInt(from), BigInt(to)] }) as const,
    distribute: (faultId: Hex) => ({ ...faults, functionName: 'distribute', args: [faultId] }) as const,
    withdraw: () => ({ ...faults, functionName: 'withdraw', args: [] }) as const,
    demand: (batchId: Hex, part: number, index: bigint) =>
      ({ ...challenges, functionName: 'demand', args: [batchId, part, index] }) as const,
    conclude: (challengeId: Hex) =>
      ({ ...challenges, functionName: 'conclude', args: [challengeId] }) as const,
    withdrawBond: () => ({ ...challenges, functionName: 'withdraw', args: [] }) as const,
    approveBond: (amount: bigint) =>
      ({
        address: contracts.OPG,
        abi: opgAbi,
        functionName: 'approve',
        args: [contracts.DataChallenge, amount],
      }) as const,
  }
}
export type FaultCalls = ReturnType<typeof faultCalls>

/** What the chain says about faults. Every read may fail and be repeated; none has an effect. */
export function faultChain(client: PublicClient, { contracts }: Pick<Network, 'contracts'>) {
  const faults = { address: contracts.FaultManager, abi: faultManagerAbi } as const
  const challenges = { address: contracts.DataChallenge, abi: dataChallengeAbi } as const
  const settlement = { address: contracts.Settlement, abi: settlementAbi } as const
  const token = { address: contracts.OPG, abi: opgAbi } as const
  return {
    latest: async () => {
      const { number, timestamp } = await client.getBlock({ blockTag: 'latest' })
      return { number, timestamp }
    },
    /** What the judge of the class finds in a proof; undefined where it does not hold. */
    async judge(faultClass: number, proof: Hex) {
      const [judge] = await client.readContract({ ...faults, functionName: 'adapterOf', args: [faultClass] })
      try {
        // Every judge has the one interface.
        return await client.readContract({
          address: judge,
          abi: teeFaultAbi,
          functionName: 'judge',
          args: [proof],
        })
      } catch (error) {
        if (isRefusal(error)) return undefined
        throw error
      }
    },
    /** Block and Unix seconds of an announcement; zeros where there is none, or it was used. */
    async announcement(commitment: Hex) {
      const [block, time] = await client.readContract({
        ...faults,
        functionName: 'announcements',
        args: [commitment],
      })
      return { block, time }
    },
    announcementLife: () => client.readContract({ ...faults, functionName: 'ANNOUNCEMENT_LIFE' }),
    /** Whether the safe block, which no reorg takes back, knows the fault as proven; and who proved it. */
    async safely(faultId: Hex, account: Address) {
      const at = { ...faults, blockTag: 'safe' } as const
      const [{ provenAt }, { prover, taken, distributed }, credit] = await Promise.all([
        client.readContract({ ...at, functionName: 'fault', args: [faultId] }),
        client.readContract({ ...at, functionName: 'proceedsOf', args: [faultId] }),
        client.readContract({ ...at, functionName: 'credit', args: [account] }),
      ])
      return { proven: provenAt !== 0n, prover, shared: distributed === taken, credit }
    },
    /** `provenAt` is zero where the fault is not proven. */
    fault: (faultId: Hex) => client.readContract({ ...faults, functionName: 'fault', args: [faultId] }),
    proceeds: (faultId: Hex) =>
      client.readContract({ ...faults, functionName: 'proceedsOf', args: [faultId] }),
    /** Those who called the batch valid, in the order in which `punish` counts them. */
    attesters: (batchId: Hex) =>
      client.readContract({ ...settlement, functionName: 'attestersOf', args: [batchId] }),
    punished: (faultId: Hex, validator: Address) =>
      client.readContract({ ...faults, functionName: 'punished', args: [faultId, validator] }),
    credit: (account: Address) => client.readContract({ ...faults, functionName: 'credit', args: [account] }),

    challenge: (challengeId: Hex) =>
      client.readContract({ ...challenges, functionName: 'challenge', args: [challengeId] }),
    challengeDeadline: (challengeId: Hex) =>
      client.readContract({ ...challenges, functionName: 'deadlineOf', args: [challengeId] }),
    /** The words of a demanded tape, as far as they were shown. */
    async shownTape(batchId: Hex, challengeId: Hex): Promise<Uint8Array> {
      const [{ committedBlock }, head] = await Promise.all([
        client.readContract({ ...settlement, functionName: 'batch', args: [batchId] }),
        client.getBlockNumber(),
      ])
      const parts = new Map<bigint, readonly Hex[]>()
      for (const range of blockRanges(committedBlock, head)) {
        const args = { challengeId }
        const query = { ...challenges, ...range, eventName: 'TapeShown', args, strict: true } as const
        for (const { args: shown } of await client.getContractEvents(query))
          parts.set(shown.part, shown.words)
      }
      const inOrder = [...parts].toSorted(([a], [b]) => Number(a - b))
      return hexToBytes(concatHex(inOrder.flatMap(([, words]) => words)))
    },
    bondFor: (batchId: Hex) =>
      client.readContract({ ...challenges, functionName: 'bondFor', args: [batchId] }),
    bondCredit: (account: Address) =>
      client.readContract({ ...challenges, functionName: 'credit', args: [account] }),
    balance: (account: Address) =>
      client.readContract({ ...token, functionName: 'balanceOf', args: [account] }),
    allowance: (account: Address) =>
      client.readContract({
        ...token,
        functionName: 'allowance',
        args: [account, contracts.DataChallenge],
      }),
    wouldSucceed: (call: ContractCall, from: Address) => wouldSucceed(client, call, from),
    refusalOf: (call: ContractCall, from: Address) => refusalOf(client, call, from),
  }
}
export type FaultChain = ReturnType<typeof faultChain>
