import { AssayError } from '@assay/protocol'
import { type Address, zeroAddress } from 'viem'
import { DEVELOPMENT_ROLES, developmentAccount } from '../developmentAccounts.ts'

/** Buckets of the public allocation, in the order of GenesisAllocator's table, which holds the amounts. */
export const ALLOCATION = [
  'ecosystem',
  'foundation',
  'contributors',
  'investors',
  'stakingRewards',
  'liquidity',
  'airdrop',
] as const
export type AllocationBucket = (typeof ALLOCATION)[number]

/** Who receives each bucket of the genesis supply. */
export type Beneficiaries = Record<AllocationBucket, Address>

/** OPG's token generation event, 2026-04-21 00:00 UTC, Unix seconds. */
const TGE = 1_776_729_600n
/** A twelfth of 365.25 days, so that twelve months are a year whatever its leap day. */
const MONTH_SECONDS = 2_629_800n
/** A development network lives its twelve months of lock in twelve minutes. */
const DEVELOPMENT_MONTH_SECONDS = 60n

/** Labelled development accounts: the deployer holds what is liquid and hands it out, the treasury what vests. */
function developmentBeneficiaries(): Beneficiaries {
  const { deployer, treasury, contributors, investors } = DEVELOPMENT_ROLES
  const of = (index: number) => developmentAccount(index).address
  return {
    ecosystem: of(treasury),
    foundation: of(treasury),
    contributors: of(contributors),
    investors: of(investors),
    stakingRewards: of(treasury),
    liquidity: of(deployer),
    airdrop: of(deployer),
  }
}

/**
 * What GenesisAllocator's constructor asks for, by parameter name.
 * @param developmentTge time of the newest block where this is a development network, else undefined
 * @throws AssayError `config` where a real deployment does not say who receives what.
 */
export function allocationValues(
  beneficiaries: Beneficiaries | undefined,
  developmentTge: bigint | undefined,
): { beneficiaries: Address[]; tge: bigint; month: bigint } {
  const chosen = beneficiaries ?? (developmentTge === undefined ? undefined : developmentBeneficiaries())
  const list = ALLOCATION.map((bucket) => chosen?.[bucket] ?? zeroAddress)
  const missing = ALLOCATION.filter((_, at) => list[at] === zeroAddress)
  if (missing.length > 0) {
    throw new AssayError('The genesis allocation lacks a beneficiary.', {
      code: 'config',
      facts: { missing: missing.join(', ') },
      next: 'Name an address for every bucket; who they are is all that a deployment chooses about the supply.',
    })
  }
  return {
    beneficiaries: list,
    tge: developmentTge ?? TGE,
    month: developmentTge === undefined ? MONTH_SECONDS : DEVELOPMENT_MONTH_SECONDS,
  }
}
