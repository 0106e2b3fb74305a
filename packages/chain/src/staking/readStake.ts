import { type Network, validatorStakingAbi } from '@assay/protocol'
import { type Address, type Hex, type PublicClient, zeroAddress } from 'viem'
import { inRanges, oldestAskedBlock } from '../eventRanges.ts'

/** What a validator's stake is and what it stands for. Amounts in OPG base units, times in Unix seconds. */
export type ValidatorStake = {
  validator: Address
  url: string
  /** `below minimum`: its own bond is too small, so it neither votes nor earns. */
  status: 'on duty' | 'below minimum' | 'jailed' | 'tombstoned'
  self: bigint
  delegated: bigint
  /** On its way out, and slashable still. */
  leaving: bigint
  /** What its faults of this epoch may cost at most, whoever holds it. */
  exposure: bigint
  /** Σ max(price, value at risk) of the batches it has attested and that are not final. */
  openExposure: bigint
  /** How much more it may attest: κ times its stake less what is open. */
  coverageLeft: bigint
  openChallenges: bigint
  jailedUntil: bigint
  /** The operator's part of its delegators' rewards, 1/10,000. */
  commissionBps: number
  /** A change that is announced, with the epoch from which it counts. */
  nextCommission: { bps: number; fromEpoch: bigint } | null
}

/** What one holder has at one validator. */
export type HolderStake = {
  validator: Address
  stake: bigint
  shares: bigint
  reward: bigint
  exits: readonly HolderExit[]
}

export type HolderExit = {
  /** What it is worth now, slashes counted. */
  amount: bigint
  releaseAt: bigint
  /** The validator to which it bonds when it is free; null for one that is paid out. */
  target: Address | null
}

/** A slash that happened. `fraction` of 10^18; `captureEpoch` is when the fault was committed. */
export type SlashRecord = {
  validator: Address
  captureEpoch: bigint
  taken: bigint
  fraction: bigint
  faultId: Hex
  blockNumber: bigint
  transactionHash: Hex
}

type Where = Pick<Network, 'contracts'>

const STATUS = ['below minimum', 'on duty', 'jailed', 'tombstoned'] as const

function stakingOf(network: Where) {
  return { address: network.contracts.ValidatorStaking, abi: validatorStakingAbi } as const
}

/** Stake of all validators that are on duty: two thirds of it decide. OPG base units. */
export async function readTotalStake(client: PublicClient, network: Where): Promise<bigint> {
  return client.readContract({ ...stakingOf(network), functionName: 'totalStake' })
}

/** All registered validators, in the order of their registration. */
export async function readValidators(client: PublicClient, network: Where): Promise<readonly Address[]> {
  return client.readContract({ ...stakingOf(network), functionName: 'validators' })
}

/** @returns undefined for an address that never registered. */
export async function readValidatorStake(
  client: PublicClient,
  network: Where,
  validator: Address,
): Promise<ValidatorStake | undefined> {
  const staking = stakingOf(network)
  const args = [validator] as const
  const [view, coverageLeft, epoch] = await Promise.all([
    client.readContract({ ...staking, functionName: 'validator', args }),
    client.readContract({ ...staking, functionName: 'coverageLeft', args }),
    client.readContract({ ...staking, functionName: 'currentEpoch' }),
  ])
  if (view.status === 0) return undefined
  const exposure = await client.readContract({
    ...staking,
    functionName: 'exposureAt',
    args: [validator, epoch],
  })
  const { url, self, delegated, leaving, openExposure, openChallenges, jailedUntil } = view
  const bonded = STATUS[view.status] ?? 'tombstoned'
  return {
    validator,
    url,
    status: bonded === 'on duty' && !view.active ? 'below minimum' : bonded,
    self,
    delegated,
    leaving,
    exposure,
    openExposure,
    coverageLeft,
    openChallenges,
    jailedUntil,
    commissionBps: view.commissionBps,
    nextCommission:
      view.commissionEpoch === 0n ? null : { bps: view.nextCommissionBps, fromEpoch: view.commissionEpoch },
  }
}

export async function readHolderStake(
  client: PublicClient,
  network: Where,
  validator: Address,
  holder: Address,
): Promise<HolderStake> {
  const staking = stakingOf(network)
  const args = [validator, holder] as const
  const [stake, shares, reward, exits] = await Promise.all([
    client.readContract({ ...staking, functionName: 'stakeOfHolder', args }),
    client.readContract({ ...staking, functionName: 'sharesOf', args }),
    client.readContract({ ...staking, functionName: 'rewardOf', args }),
    client.readContract({ ...staking, functionName: 'exitsOf', args }),
  ])
  return {
    validator,
    stake,
    shares,
    reward,
    exits: exits.map(({ amount, releaseAt, target }) => ({
      amount,
      releaseAt,
      target: target === zeroAddress ? null : target,
    })),
  }
}

/**
 * Slashes of a validator, oldest first, as far back as a provider's ranges let one look.
 * @returns `since` is the first block that was looked at.
 */
export async function readSlashes(
  client: PublicClient,
  network: Where,
  validator: Address,
): Promise<{ since: bigint; slashes: readonly SlashRecord[] }> {
  const since = await oldestAskedBlock(client)
  const slashes = await inRanges(client, since, async (range) => {
    const events = await client.getContractEvents({
      ...stakingOf(network),
      ...range,
      eventName: 'ValidatorSlashed',
      args: { validator },
      strict: true,
    })
    return events.map(({ args, blockNumber, transactionHash }) => ({ ...args, blockNumber, transactionHash }))
  })
  return { since, slashes }
}

/**
 * What a coalition that makes a false batch final stands to lose, OPG base units: at least two thirds of the stake must
 * sign it, and a safety fault that two thirds share costs all of theirs (9p² is 4 at p = 2/3, capped at 1).
 */
export function costOfCorruption(totalStake: bigint): bigint {
  return (totalStake * 2n + 2n) / 3n
}
