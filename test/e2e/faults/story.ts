import { FAULT_CLASS, formatOpg } from '@assay/protocol'
import type { Justice } from './justice.ts'

/** What the contracts did, in lines for a human. */
export function storyOf({ fault, collectedIn, seconds }: Justice): string[] {
  const { prover, operators, validators, refunds, proceeds } = fault
  const [name] = Object.entries(FAULT_CLASS).find(([, number]) => number === fault.faultClass) ?? ['unknown']
  return [
    `Validator ${prover} found it and proved a fault of class ${fault.faultClass} (${name}): ${fault.transactionHash}`,
    ...operators.map(({ operator, taken }) => `Slashed: ${formatOpg(taken)} of the bond of ${operator}`),
    ...validators.map(
      ({ validator, taken }) => `Slashed: ${formatOpg(taken)} of the stake behind ${validator}`,
    ),
    ...refunds.map(({ payer, amount }) => `Refunded: ${formatOpg(amount)} to the payer ${payer}`),
    `Bounty ${formatOpg(proceeds.bounty)}, insurance ${formatOpg(proceeds.insured)}, burned ${formatOpg(proceeds.burned)}`,
    `The bounty is in its finder's hands ${seconds} s after the lie was committed: ${collectedIn}`,
  ]
}
