import type { KnownGrant } from '@assay/chain'
import { formatOpg } from '@assay/protocol'
import { table } from '../output.ts'

/** A grant as the chain holds it, for people and scripts; amounts in OPG base units, times in Unix seconds. */
export type GrantFacts = KnownGrant['grant'] &
  KnownGrant['account'] & {
    id: `0x${string}`
    state: 'open' | 'revoked' | 'ended'
    /** Paid in, neither spent on settled calls nor taken back. */
    deposit: bigint
    /** Taken back by the payer. */
    withdrawn: bigint
    /** Null while it is open. */
    end: {
      at: bigint
      /** From when on the rest can be taken back. */
      withdrawableAt: bigint
    } | null
  }

export function describeGrant(facts: GrantFacts): string {
  const { end, withdrawn } = facts
  const money: [string, string][] = [
    ['paid in', formatOpg(facts.funded + withdrawn)],
    ['settled calls', formatOpg(facts.spent)],
    ...(withdrawn === 0n ? [] : [['taken back', formatOpg(withdrawn)] as [string, string]]),
    ['left', formatOpg(facts.deposit)],
  ]
  return table([
    ['grant', facts.id],
    ['state', end === null ? facts.state : `${facts.state} at ${utc(end.at)}`],
    ...money,
    ...(end === null ? limitsOf(facts) : restOf(facts, end)),
  ])
}

/** What may still happen under a grant that is open. */
function limitsOf(facts: GrantFacts): [string, string][] {
  const list = (values: readonly string[]) => (values.length === 0 ? 'any' : values.join(', '))
  return [
    ['one call', `at most ${formatOpg(facts.maxPerCall)}`],
    ['one hour', facts.ratePerHour === 0n ? 'no limit' : `at most ${formatOpg(facts.ratePerHour)}`],
    ['models', list(facts.models)],
    ['nodes', list(facts.nodes)],
    ['until', utc(facts.expiry)],
    [
      'trust',
      `gateway ${facts.gateway} can spend what you pay in, up to ${formatOpg(facts.maxTotal)}, also on calls that you never made`,
    ],
  ]
}

/** What may still happen under one that has ended: its limits allow nothing any more. */
function restOf({ id, gateway, deposit }: GrantFacts, end: { withdrawableAt: bigint }): [string, string][] {
  if (deposit === 0n) return []
  return [
    ['yours again', `from ${utc(end.withdrawableAt)} on, with: assay wallet grant withdraw ${id}`],
    [
      'trust',
      `gateway ${gateway} can still be paid for calls from before the end, until you take the rest back`,
    ],
  ]
}

function utc(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString()
}
