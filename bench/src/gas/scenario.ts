/**
 * What is measured as "gas per inference", in one place. A batch of 4,096 answers of one model from one node, committed by
 * one gateway on a chain that has seen such a batch before, so that what is written once and for all is written. Payers
 * share the answers evenly; under grants each has one row.
 */
export const SCENARIO = {
  inferences: 4096,
  /** Smaller batches, of one payer. */
  smaller: [1, 16, 256],
  validators: [3, 16, 64],
  payers: [1, 10, 1000],
  /** Rows that one transaction settles, as the gateway does. */
  rowsAtOnce: 64,
  /** Payments by x402 that one transaction collects and settles, as the gateway does. */
  paymentsAtOnce: 32,
} as const

/** What the grants of the scenario hold together, OPG base units: more than all of its batches cost. */
export const DEPOSITED = 10n ** 19n
