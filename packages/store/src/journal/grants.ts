import type { Hex, Queryable } from '../database.ts'
import { type GrantState, type PlacedCall, readGrants } from '../reservations.ts'

/** Grants that are remembered; of those with nothing under way and nothing to apply, the oldest go first. */
const MAX_GRANTS = 10_000
/** Moves of one grant before those are dropped that the database holds. */
const MIN_MOVES = 256
/** Minutes that are kept of one grant, far more than count. */
const MAX_MINUTES = 256

/** What the journal's writer knows of grants without asking the database. */
export type Grants = {
  /**
   * What counts of a grant now, kept up to date; undefined where there is no such grant.
   * @param again whether to read it again: what a batch may not hold is spent no more, which only the database knows
   */
  stateOf(grantId: Hex, again: boolean): Promise<GrantState | undefined>
  /** Whether a call is under way. */
  has(requestId: Hex): boolean
  /** What became of a call, and which entry of the journal says so. */
  reserved(call: PlacedCall, seq: number): void
  recorded(requestId: Hex, price: bigint, seq: number): void
  ended(requestId: Hex, seq: number): void
}

/** What an entry of the journal changes of a grant. */
type Move = { seq: number; open: bigint; spent: bigint; minute?: number }
type Known = { state: GrantState; moves: Move[]; trimAt: number }

/**
 * One process has the database for itself, so what it has set aside under a grant and spent is known here. What the database
 * says of it is as of one entry of the journal, and what the entries after that one changed is added.
 * @param appliedOf the last entry that the database holds
 */
export function openGrants(database: Queryable, appliedOf: () => number): Grants {
  const known = new Map<Hex, Known>()
  const looking = new Map<Hex, Promise<void>>()
  const underWay = new Map<Hex, { grantId: Hex; maximum: bigint }>()

  async function look(grantId: Hex): Promise<void> {
    const { states, applied } = await readGrants(database, [grantId])
    const state = states.get(grantId)
    if (state === undefined) return
    const moves = (known.get(grantId)?.moves ?? []).filter(({ seq }) => seq > applied)
    for (const move of moves) apply(state, move)
    known.delete(grantId)
    known.set(grantId, { state, moves, trimAt: Math.max(MIN_MOVES, 2 * moves.length) })
    forgetOne()
  }
  function lookOnce(grantId: Hex): Promise<void> {
    const looked = looking.get(grantId) ?? look(grantId).finally(() => looking.delete(grantId))
    looking.set(grantId, looked)
    return looked
  }
  function forgetOne(): void {
    if (known.size <= MAX_GRANTS) return
    const busy = new Set([...underWay.values()].map(({ grantId }) => grantId))
    for (const [grantId, { moves }] of known) {
      const applied = moves.every(({ seq }) => seq <= appliedOf())
      if (!applied || looking.has(grantId) || busy.has(grantId)) continue
      known.delete(grantId)
      return
    }
  }
  function move(grantId: Hex, change: Move): void {
    const grant = known.get(grantId)
    if (grant === undefined) return
    apply(grant.state, change)
    grant.moves.push(change)
    // A look that is on its way may be as of an entry long before.
    if (grant.moves.length < grant.trimAt || looking.has(grantId)) return
    const applied = appliedOf()
    grant.moves = grant.moves.filter(({ seq }) => seq > applied)
    grant.trimAt = Math.max(MIN_MOVES, 2 * grant.moves.length)
  }

  return {
    async stateOf(grantId, again) {
      if (again || !known.has(grantId)) await lookOnce(grantId)
      return known.get(grantId)?.state
    },
    has: (requestId) => underWay.has(requestId),
    reserved({ requestId, grantId, authorised }, seq) {
      underWay.set(requestId, { grantId, maximum: authorised })
      move(grantId, { seq, open: authorised, spent: 0n })
    },
    recorded(requestId, price, seq) {
      const call = underWay.get(requestId)
      if (call === undefined) return
      underWay.delete(requestId)
      const minute = Math.floor(Date.now() / 60_000)
      move(call.grantId, { seq, open: -call.maximum, spent: price, minute })
    },
    ended(requestId, seq) {
      const call = underWay.get(requestId)
      if (call === undefined) return
      underWay.delete(requestId)
      move(call.grantId, { seq, open: -call.maximum, spent: 0n })
    },
  }
}

function apply(state: GrantState, { open, spent, minute }: Move): void {
  state.open += open
  state.spent += spent
  if (minute === undefined || state.rate === 0n) return
  state.minutes.set(minute, (state.minutes.get(minute) ?? 0n) + spent)
  const [oldest] = state.minutes.keys()
  if (state.minutes.size > MAX_MINUTES && oldest !== undefined) state.minutes.delete(oldest)
}
