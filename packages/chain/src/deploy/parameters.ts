import { type Hex, parseEther, stringToHex } from 'viem'

/** One number of ParamStore: what a new deployment starts with and how far governance may move it. */
export type Parameter = { development: bigint; production: bigint; min: bigint; max: bigint }

const MINUTE = 60n
const HOUR = 60n * MINUTE
const DAY = 24n * HOUR

/**
 * Starting values and bounds (seconds, OPG base units, 1/10,000). Development windows are short so that a person can
 * watch a batch become final. UNBONDING must never fall below CHALLENGE_WINDOW: stake that can leave before its
 * attestation is challenged backs nothing; production starts at window 3 d + adjudication 2 d + grace 2 d, rounded up.
 */
export const PARAMETERS = {
  ATTEST_TIMEOUT: { development: 2n * MINUTE, production: DAY, min: MINUTE, max: 7n * DAY },
  CHALLENGE_WINDOW: { development: 5n, production: 3n * DAY, min: 1n, max: 30n * DAY },
  REFUND_TIMEOUT: { development: 10n * MINUTE, production: 10n * DAY, min: MINUTE, max: 60n * DAY },
  UNBONDING: { development: 30n, production: 10n * DAY, min: 10n, max: 90n * DAY },
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
  COVERAGE_KAPPA_BPS: { development: 5000n, production: 5000n, min: 100n, max: 10_000n },
  PRICE_RISE_DELAY: { development: DAY, production: DAY, min: HOUR, max: 30n * DAY },
} as const satisfies Record<string, Parameter>

/** A parameter's key: its name as a bytes32 string. */
export function parameterKey(name: string): Hex {
  return stringToHex(name, { size: 32 })
}

/** ParamStore's four lists, in one order. */
export function parameterLists(development: boolean) {
  const rows = Object.entries<Parameter>(PARAMETERS)
  return {
    keys: rows.map(([name]) => parameterKey(name)),
    values: rows.map(([, row]) => (development ? row.development : row.production)),
    mins: rows.map(([, row]) => row.min),
    maxs: rows.map(([, row]) => row.max),
  }
}
