import { type Address, parseEther, zeroAddress } from 'viem'
import { PARAMETERS } from './parameters.ts'

const MINUTE = 60n
const DAY = 24n * 60n * MINUTE
/** Blocks of a day on Base, which makes one every two seconds. */
const BLOCKS_PER_DAY = 43_200n

/** How fast governance may be: what a deployment starts with, and the fastest that it can ever become. */
export type GovernanceTimes = {
  /** In blocks, as OPG's clock counts: see OpgGovernor.Rules. */
  votingDelay: bigint
  votingPeriod: bigint
  lateQuorumExtension: bigint
  /** Votes needed to propose, OPG base units. */
  proposalThreshold: bigint
  /** Votes needed to decide, 1/10,000 of the supply. */
  quorumBps: bigint
  /** Seconds from here on: between a successful vote and its effect. */
  timelockDelay: bigint
  /** Between the announcement of a hardware root and its approval. */
  hardwareNotice: bigint
  /** Seconds that one attestation backs an enclave's key. */
  keyTerm: bigint
  /** Of the guardian's appointment, of a suspension without a vote, and of its pauses. */
  guardianTerm: bigint
  suspensionLength: bigint
  longestPause: bigint
  pauseInterval: bigint
}

/**
 * A suspension (14 days) outlasts the longest way of a vote (1 + 5 + 2 + 2 days), so that governance can always make it
 * final. A hardware root is announced for as long as its vote takes (1 + 5 days) and a day more.
 */
const PRODUCTION: GovernanceTimes = {
  votingDelay: BLOCKS_PER_DAY,
  votingPeriod: 5n * BLOCKS_PER_DAY,
  lateQuorumExtension: 2n * BLOCKS_PER_DAY,
  proposalThreshold: parseEther('100000'),
  quorumBps: 400n,
  timelockDelay: 2n * DAY,
  hardwareNotice: 7n * DAY,
  keyTerm: 7n * DAY,
  guardianTerm: 365n * DAY,
  suspensionLength: 14n * DAY,
  longestPause: PARAMETERS.LONGEST_PAUSE.production,
  pauseInterval: 30n * DAY,
}

/** The same in seconds: time to type a vote, and twenty from proposal to effect, with a block a second. */
const DEVELOPMENT: GovernanceTimes = {
  votingDelay: 2n,
  votingPeriod: 15n,
  lateQuorumExtension: 5n,
  proposalThreshold: parseEther('1000'),
  quorumBps: 400n,
  timelockDelay: 3n,
  hardwareNotice: 5n,
  keyTerm: DAY,
  guardianTerm: 365n * DAY,
  suspensionLength: 2n * MINUTE,
  longestPause: PARAMETERS.LONGEST_PAUSE.development,
  pauseInterval: MINUTE,
}

/** What the constructors of the governing contracts ask for, by parameter name. */
export function governanceValues(
  development: boolean,
  guardian: Address | undefined,
  changes: Partial<GovernanceTimes> = {},
) {
  const times = { ...(development ? DEVELOPMENT : PRODUCTION), ...changes }
  const { votingDelay, votingPeriod, lateQuorumExtension, proposalThreshold, quorumBps, ...seconds } = times
  const { suspensionLength, hardwareNotice, keyTerm } = seconds
  return {
    ...seconds,
    times: { suspensionLength, hardwareNotice, keyTerm },
    rules: {
      // uint48 and uint32 are numbers in viem's encoding.
      votingDelay: Number(votingDelay),
      votingPeriod: Number(votingPeriod),
      lateQuorumExtension: Number(lateQuorumExtension),
      proposalThreshold,
      quorumBps,
    },
    firstHolder: guardian ?? zeroAddress,
  }
}
