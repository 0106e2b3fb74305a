import { FAULT_CLASS, formatOpg } from '@assay/protocol'
import type { Justice } from './justice.ts'
import type { MadeWhole } from './payersWhole.ts'

/** What the contracts did, in lines for a human. */
export function storyOf({ fault, collectedIn, seconds }: Justice, payments: readonly MadeWhole[]): string[] {
  const { prover, operators, validators, proceeds } = fault
  const [name] = Object.entries(FAULT_CLASS).find(([, number]) => number === fault.faultClass) ?? ['unknown']
  return [
    `Validator ${prover} found it and proved a fault of class ${fault.faultClass} (${name}): ${fault.transactionHash}`,
    ...operators.map(({ operator, taken }) => `Slashed: ${formatOpg(taken)} of the bond of ${operator}`),
    ...validators.map(
      ({ validator, taken }) => `Slashed: ${formatOpg(taken)} of the stake behind ${validator}`,
    ),
    ...payments.map(
      (payment) => `Payer ${payment.payer}, ${payment.seconds} s after the lie: ${whereItIs(payment)}`,
    ),
    `Bounty ${formatOpg(proceeds.bounty)}, insurance ${formatOpg(proceeds.insured)}, burned ${formatOpg(proceeds.burned)}`,
    `The bounty is in its finder's hands ${seconds} s after the lie was committed: ${collectedIn}`,
  ]
}

function whereItIs(payment: MadeWhole): string {
  switch (payment.state) {
    case 'locked':
      return `${formatOpg(payment.amount)} are still locked`
    case 'paid':
      return `${formatOpg(payment.amount)} paid for the answer${payment.returned > 0n ? `, ${formatOpg(payment.returned)} of change back` : ''}`
    case 'refunded':
      return `${formatOpg(payment.amount)} back`
  }
}
