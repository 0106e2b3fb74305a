import {
  guardianAbi,
  type Network,
  opgGovernorAbi,
  opgTimelockAbi,
  paramStoreAbi,
  pauseClockAbi,
} from '@assay/protocol'
import type { Address, Hex, PublicClient } from 'viem'
import { parameterName } from '../deploy/parameters.ts'

/** By which rules a deployment is governed now. Times of votes in blocks, all others in seconds. */
export type GovernanceRules = {
  votingDelay: bigint
  votingPeriod: bigint
  lateQuorumExtension: bigint
  /** Votes needed to propose, OPG base units. */
  proposalThreshold: bigint
  /** 1/10,000 of the supply. */
  quorumBps: bigint
  timelockDelay: bigint
  /** The zero address where there is none, or its term is over. */
  guardian: Address
  /** Unix seconds. */
  guardianUntil: bigint
  /** Whether new batches are paused at this moment. */
  paused: boolean
}

type Where = Pick<Network, 'contracts'>

export async function readGovernanceRules(client: PublicClient, network: Where): Promise<GovernanceRules> {
  const { OpgGovernor, OpgTimelock, Guardian, PauseClock } = network.contracts
  const governor = { address: OpgGovernor, abi: opgGovernorAbi } as const
  const role = { address: Guardian, abi: guardianAbi } as const
  const [votingDelay, votingPeriod, lateQuorumExtension, proposalThreshold, quorumBps, timelockDelay] =
    await Promise.all([
      client.readContract({ ...governor, functionName: 'votingDelay' }),
      client.readContract({ ...governor, functionName: 'votingPeriod' }),
      client.readContract({ ...governor, functionName: 'lateQuorumVoteExtension' }),
      client.readContract({ ...governor, functionName: 'proposalThreshold' }),
      client.readContract({ ...governor, functionName: 'quorumNumerator' }),
      client.readContract({ address: OpgTimelock, abi: opgTimelockAbi, functionName: 'getMinDelay' }),
    ])
  const [guardian, guardianUntil, paused] = await Promise.all([
    client.readContract({ ...role, functionName: 'holder' }),
    client.readContract({ ...role, functionName: 'expiresAt' }),
    client.readContract({ address: PauseClock, abi: pauseClockAbi, functionName: 'paused' }),
  ])
  return {
    votingDelay,
    votingPeriod,
    lateQuorumExtension: BigInt(lateQuorumExtension),
    proposalThreshold,
    quorumBps,
    timelockDelay,
    guardian,
    guardianUntil,
    paused,
  }
}

/** One number of ParamStore, in its own unit (seconds, OPG base units, 1/10,000). */
export type ParameterView = { name: string; value: bigint; min: bigint; max: bigint }

/** All parameters of a deployment, in its order. */
export async function readParameters(client: PublicClient, network: Where): Promise<ParameterView[]> {
  const store = { address: network.contracts.ParamStore, abi: paramStoreAbi } as const
  const keys = await client.readContract({ ...store, functionName: 'keys' })
  return Promise.all(
    keys.map(async (key: Hex) => {
      const [value, [min, max]] = await Promise.all([
        client.readContract({ ...store, functionName: 'get', args: [key] }),
        client.readContract({ ...store, functionName: 'bounds', args: [key] }),
      ])
      return { name: parameterName(key), value, min, max }
    }),
  )
}
