import { type Hex, hexToString, parseEther, stringToHex } from 'viem'

/** One number of ParamStore: what a new deployment starts with and how far governance may move it. */
export type Parameter = {
  development: bigint
  production: bigint
  /** On a network that plays through what is too long to wait for even on a development network; may be below `min`. */
  rehearsal?: bigint
  /** On a network on which a test acts: nobody is too slow to act in time, and who waits moves the chain's clock. */
  unhurried?: bigint
  min: bigint
  max: bigint
  /** Bounds are the starting value itself: another contract was deployed with it, and no vote may part them. */
  fixed?: true
}

/** By which starting values a network runs. */
export type Terms = 'production' | 'development' | 'rehearsal' | 'unhurried'

const MINUTE = 60n
const HOUR = 60n * MINUTE
const DAY = 24n * HOUR

/** Part of a whole, 1/10,000. */
const PERCENT = 100n
const ALL = 100n * PERCENT
const HALF = 50n * PERCENT

/**
 * Starting values and bounds (seconds, OPG base units, 1/10,000). Development windows are short so that a person can
 * watch a batch become final. ParamStore itself sees to it that stake outlasts what it answers for (UNBONDING ≥
 * ATTEST_TIMEOUT + CHALLENGE_WINDOW + ADJUDICATION + GRACE + LONGEST_PAUSE), that no refund races a payment (REFUND_TIMEOUT,
 * DEPOSIT_WITHDRAWAL ≥ ATTEST_TIMEOUT + CHALLENGE_WINDOW + ADJUDICATION), and that no challenge stays open for longer
 * than that reckons with (DATA_RESPONSE ≤ ADJUDICATION); a refund also leaves the ten minutes after which a node may force
 * in a receipt that its gateway sits on. Lower bounds are what a development network runs with. A rehearsal gives those
 * ten minutes up: there a batch whose data is withheld ends, and its payers have their money back, within a minute.
 */
export const PARAMETERS = {
  // Half of MAX_AGE at most: what a batch without a quorum held is young enough to be batched again.
  ATTEST_TIMEOUT: {
    development: MINUTE,
    production: 6n * HOUR,
    rehearsal: 25n,
    unhurried: 2n * HOUR,
    min: MINUTE,
    max: 12n * HOUR,
  },
  CHALLENGE_WINDOW: { development: 5n, production: 3n * DAY, min: 1n, max: 30n * DAY },
  ADJUDICATION: {
    development: 20n,
    production: 2n * DAY,
    rehearsal: 12n,
    unhurried: HOUR,
    min: 1n,
    max: 14n * DAY,
  },
  GRACE: { development: 5n, production: 2n * DAY, min: 1n, max: 14n * DAY },
  LONGEST_PAUSE: { development: 10n, production: 2n * DAY, min: 1n, max: 3n * DAY, fixed: true },
  // Not above PauseClock's interval, so that no exit spans more than one pause.
  UNBONDING: { development: 100n, production: 10n * DAY, unhurried: 4n * HOUR, min: 10n, max: 30n * DAY },
  REFUND_TIMEOUT: {
    development: 20n * MINUTE,
    production: 10n * DAY,
    rehearsal: 45n,
    unhurried: 4n * HOUR,
    min: MINUTE,
    max: 60n * DAY,
  },
  DEPOSIT_WITHDRAWAL: {
    development: 10n * MINUTE,
    production: 10n * DAY,
    unhurried: 4n * HOUR,
    min: MINUTE,
    max: 60n * DAY,
  },
  // On a development chain short enough that withheld data is found, demanded, missed and paid for within a minute.
  DATA_RESPONSE: {
    development: 15n,
    production: DAY,
    rehearsal: 10n,
    unhurried: HOUR / 2n,
    min: 5n,
    max: 7n * DAY,
  },
  PRICE_RISE_DELAY: { development: DAY, production: DAY, min: HOUR, max: 30n * DAY },
  COMMISSION_DELAY: { development: MINUTE, production: 7n * DAY, min: MINUTE, max: 30n * DAY },
  MIN_SELF_BOND: {
    development: parseEther('100'),
    production: parseEther('10000'),
    min: 1n,
    max: parseEther('10000000'),
  },
  MIN_NODE_BOND: {
    development: parseEther('100'),
    production: parseEther('1000'),
    min: 1n,
    max: parseEther('10000000'),
  },
  COVERAGE_KAPPA_BPS: { development: HALF, production: HALF, min: PERCENT, max: ALL },
  // Dear enough that nobody holds others' coverage for nothing, small beside what a lie costs.
  VOID_FEE_BPS: { development: PERCENT, production: PERCENT, min: 10n, max: 10n * PERCENT },
  SELF_FIRST_BPS: { development: 20n * PERCENT, production: 20n * PERCENT, min: 10n * PERCENT, max: ALL },
  COMMISSION_CAP_BPS: { development: 20n * PERCENT, production: 20n * PERCENT, min: PERCENT, max: HALF },
  COMMISSION_STEP_BPS: { development: PERCENT, production: PERCENT, min: 1n, max: 5n * PERCENT },
  // Half of each penalty at least, whatever is voted: a fault must never become worth its price.
  PHI_TEE_BPS: { development: HALF, production: HALF, min: 25n * PERCENT, max: ALL },
  PHI_ZK_BPS: { development: ALL, production: ALL, min: HALF, max: ALL },
  PHI_EQUIVOCATION_BPS: { development: ALL, production: ALL, min: HALF, max: ALL },
  PHI_DATA_BPS: { development: 5n * PERCENT, production: 5n * PERCENT, min: PERCENT, max: 5n * PERCENT },
  PHI_REPLAY_BPS: { development: 20n * PERCENT, production: 20n * PERCENT, min: 10n * PERCENT, max: HALF },
  PHI_SUM_BPS: { development: HALF, production: HALF, min: 25n * PERCENT, max: ALL },
  PHI_ROW_BPS: { development: HALF, production: HALF, min: 25n * PERCENT, max: ALL },
  // A canary may hurt, not ruin: somebody who looked away once is no liar yet.
  PHI_CANARY_BPS: { development: PERCENT, production: PERCENT, min: 10n, max: 5n * PERCENT },
  CANARY_DEPOSIT: {
    development: parseEther('10'),
    production: parseEther('1000'),
    min: parseEther('1'),
    max: parseEther('100000'),
  },
  CANARY_REWARD: {
    development: parseEther('5'),
    production: parseEther('100'),
    min: parseEther('1'),
    max: parseEther('10000'),
  },
  CHALLENGE_BOND: {
    development: parseEther('10'),
    production: parseEther('1000'),
    min: 1n,
    max: parseEther('100000'),
  },
  BOUNTY_BPS: { development: 20n * PERCENT, production: 20n * PERCENT, min: PERCENT, max: 20n * PERCENT },
  BOUNTY_CAP: {
    development: parseEther('10000'),
    production: parseEther('10000'),
    min: parseEther('1'),
    max: parseEther('1000000'),
  },
  INSURANCE_BPS: { development: 30n * PERCENT, production: 30n * PERCENT, min: 0n, max: 30n * PERCENT },
} as const satisfies Record<string, Parameter>

/** A parameter's key: its name as a bytes32 string. */
export function parameterKey(name: string): Hex {
  return stringToHex(name, { size: 32 })
}

/** The name of a key. By bytes: viem's `trim` of hex takes half a byte at a time, and with it the end of a "P" (0x50). */
export function parameterName(key: Hex): string {
  return hexToString(key, { size: 32 })
}

/** ParamStore's four lists, in one order. */
export function parameterLists(terms: Terms) {
  const rows = Object.entries<Parameter>(PARAMETERS).map(([name, row]) => {
    const value = row[terms] ?? row.development
    const min = row.fixed || value < row.min ? value : row.min
    return { name, value, min, max: row.fixed ? value : row.max }
  })
  return {
    keys: rows.map(({ name }) => parameterKey(name)),
    values: rows.map(({ value }) => value),
    mins: rows.map(({ min }) => min),
    maxs: rows.map(({ max }) => max),
  }
}
