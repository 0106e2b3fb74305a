import {
  type Contracts,
  dataChallengeAbi,
  type Network,
  settlementAbi,
  validatorStakingAbi,
} from '@assay/protocol'
import type { BatchRecord } from '@assay/verify'
import type { Address, Hex, PublicClient } from 'viem'
import { inRanges } from '../eventRanges.ts'
import { readBatch } from '../readBatch.ts'
import { type CanaryRecord, readCanary } from './readCanary.ts'
import { type FaultRecord, readFaults } from './readFaults.ts'
import { readVoidFee, type VoidFee } from './readVoidFee.ts'

/** What a validator said of a batch, and how heavily, OPG base units. */
export type BatchVoice = { validator: Address; verdict: number; stake: bigint; blockNumber: bigint }

/** A part of a batch that somebody demanded to see. */
export type BatchDemand = {
  challengeId: Hex
  /** One of `DATA_PART`. */
  part: number
  index: bigint
  challenger: Address
  /** OPG base units. */
  bond: bigint
  state: 'open' | 'shown' | 'withheld'
}

/** Everything that the chain tells of one batch. */
export type BatchHistory = BatchRecord & {
  /** In whose transaction it was committed or forced in. */
  transactionHash: Hex
  voices: readonly BatchVoice[]
  /** Stake that stood just before the commit: two thirds of it decide. OPG base units. */
  totalStake: bigint
  demands: readonly BatchDemand[]
  faults: readonly FaultRecord[]
  /** What it was, where its sower has shown that it was false on purpose. */
  canary: CanaryRecord | null
  voidFee: VoidFee
}

const DEMAND_STATE = ['open', 'open', 'shown', 'withheld'] as const

/** @returns null where the chain knows no such batch. @throws viem's errors where it does not answer */
export async function readBatchHistory(
  client: PublicClient,
  network: Network,
  batchId: Hex,
): Promise<BatchHistory | null> {
  const record = await readBatch(client, network, batchId)
  if (record === null) return null
  const { contracts } = network
  const since = record.committedBlock
  const [transactionHash, voices, totalStake, demands, { faults }, canary, voidFee] = await Promise.all([
    transactionOf(client, contracts, record),
    readVoices(client, contracts, record),
    client.readContract({
      address: contracts.ValidatorStaking,
      abi: validatorStakingAbi,
      functionName: 'totalStakeAt',
      args: [since - 1n],
    }),
    readDemands(client, contracts, record),
    readFaults(client, network, { batchId, fromBlock: since }),
    readCanary(client, network, record),
    readVoidFee(client, network, record),
  ])
  return { ...record, transactionHash, voices, totalStake, demands, faults, canary, voidFee }
}

async function transactionOf(
  client: PublicClient,
  { Settlement }: Contracts,
  { batchId, committedBlock }: BatchRecord,
): Promise<Hex> {
  const at = { address: Settlement, abi: settlementAbi, args: { batchId }, strict: true } as const
  const range = { fromBlock: committedBlock, toBlock: committedBlock } as const
  const [commits, forced] = await Promise.all([
    client.getContractEvents({ ...at, ...range, eventName: 'BatchCommitted' }),
    client.getContractEvents({ ...at, ...range, eventName: 'ReceiptForced' }),
  ])
  const [event] = [...commits, ...forced]
  if (event === undefined) throw new Error(`The chain does not show the commit of batch ${batchId}.`)
  return event.transactionHash
}

async function readVoices(
  client: PublicClient,
  { Settlement }: Contracts,
  { batchId, committedBlock }: BatchRecord,
): Promise<BatchVoice[]> {
  const events = await inRanges(client, committedBlock, (range) =>
    client.getContractEvents({
      address: Settlement,
      abi: settlementAbi,
      ...range,
      eventName: 'BatchAttested',
      args: { batchId },
      strict: true,
    }),
  )
  return events.map(({ args: { validator, verdict, stake }, blockNumber }) => ({
    validator,
    verdict,
    stake,
    blockNumber,
  }))
}

async function readDemands(
  client: PublicClient,
  { DataChallenge }: Contracts,
  { batchId, committedBlock }: BatchRecord,
): Promise<BatchDemand[]> {
  const challenges = { address: DataChallenge, abi: dataChallengeAbi } as const
  const events = await inRanges(client, committedBlock, (range) =>
    client.getContractEvents({
      ...challenges,
      ...range,
      eventName: 'PartDemanded',
      args: { batchId },
      strict: true,
    }),
  )
  const demands = events.map(async ({ args: { challengeId, part, index, challenger, bond } }) => {
    const { state } = await client.readContract({
      ...challenges,
      functionName: 'challenge',
      args: [challengeId],
    })
    return { challengeId, part, index, challenger, bond, state: DEMAND_STATE[state] ?? 'open' }
  })
  return Promise.all(demands)
}
