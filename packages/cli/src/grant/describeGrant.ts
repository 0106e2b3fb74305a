import type { KnownGrant } from '@assay/chain'
import { formatOpg } from '@assay/protocol'
import { table } from '../output.ts'

/** A grant as the chain holds it, for people and scripts; amounts in OPG base units. */
export type GrantFacts = KnownGrant['grant'] &
  KnownGrant['account'] & {
    id: `0x${string}`
    state: 'open' | 'revoked' | 'ended'
    /** Paid in and not spent on settled calls. */
    deposit: bigint
  }

export function grantFacts({ id, grant, account }: KnownGrant): GrantFacts {
  const now = BigInt(Math.floor(Date.now() / 1000))
  const state = account.revokedAt !== 0n ? 'revoked' : grant.expiry <= now ? 'ended' : 'open'
  return { id, ...grant, ...account, state, deposit: account.funded - account.spent }
}

export function describeGrant(facts: GrantFacts): string {
  const list = (values: readonly string[]) => (values.length === 0 ? 'any' : values.join(', '))
  return table([
    ['grant', facts.id],
    ['state', facts.state],
    ['paid in', formatOpg(facts.funded)],
    ['settled calls', formatOpg(facts.spent)],
    ['left', formatOpg(facts.deposit)],
    ['one call', `at most ${formatOpg(facts.maxPerCall)}`],
    ['one hour', facts.ratePerHour === 0n ? 'no limit' : `at most ${formatOpg(facts.ratePerHour)}`],
    ['models', list(facts.models)],
    ['nodes', list(facts.nodes)],
    ['until', new Date(Number(facts.expiry) * 1000).toISOString()],
    [
      'trust',
      `gateway ${facts.gateway} can spend what you pay in, up to ${formatOpg(facts.maxTotal)}, also on calls that you never made`,
    ],
  ])
}
