import { formatOpg } from '@assay/protocol'
import type { Justice } from './justice.ts'

/** What the contracts did, in lines for a human. */
export function storyOf(justice: Justice): string[] {
  const { faultClass, prover, operators, validators, refunds, bounty, burned, insured } = justice
  return [
    `Validator ${prover} found it and proved a fault of class "${faultClass}": ${justice.provenIn}`,
    ...operators.map(({ operator, taken }) => `Slashed: the bond of ${operator}, ${formatOpg(taken)}`),
    ...validators.map(
      ({ validator, taken }) => `Slashed: the stake behind ${validator}, ${formatOpg(taken)}`,
    ),
    ...refunds.map(({ payer, amount }) => `Refunded to the payer ${payer}: ${formatOpg(amount)}`),
    `Bounty ${formatOpg(bounty)}, insurance ${formatOpg(insured)}, burned ${formatOpg(burned)}: ${justice.distributedIn}`,
    `The bounty is in its finder's hands ${justice.seconds} s after the lie: ${justice.withdrawnIn}`,
  ]
}
