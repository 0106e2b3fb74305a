import { larger } from '@assay/protocol'
import type { GrantAccount } from '@assay/verify'
import type { Hex } from 'viem'

/** Grants that are remembered; the oldest without a call under way is forgotten first. */
const MAX_GRANTS = 4_096

/** What this node has answered, and is answering, under each grant, against what the deposit holds. */
export type GrantLedger = {
  /** Sets a call's highest price aside. False where the deposit does not hold it. */
  reserve(grantId: Hex, account: GrantAccount, requestId: Hex, maximum: bigint): boolean
  /** Ends a call at its price, 0 where nothing is charged. */
  end(grantId: Hex, requestId: Hex, price: bigint): void
}

type Entry = { spentBefore: bigint; issued: bigint; open: Map<Hex, bigint> }

/**
 * A gateway that promises one deposit to many calls leaves the nodes unpaid, so each node counts its own. What the
 * chain shows as spent since the grant was first seen here, and what was issued here since, overlap: the larger of the
 * two is owed for certain. In memory: what a restart forgets the chain knows within a batch or two.
 */
export function createGrantLedger(): GrantLedger {
  const entries = new Map<Hex, Entry>()
  return {
    reserve(grantId, account, requestId, maximum) {
      let entry = entries.get(grantId)
      if (entry === undefined) {
        if (entries.size >= MAX_GRANTS) forgetOne(entries)
        entry = { spentBefore: account.spent, issued: 0n, open: new Map() }
        entries.set(grantId, entry)
      }
      let owed = larger(entry.spentBefore + entry.issued, account.spent)
      for (const open of entry.open.values()) owed += open
      if (owed + maximum > account.funded) return false
      entry.open.set(requestId, maximum)
      return true
    },
    end(grantId, requestId, price) {
      const entry = entries.get(grantId)
      if (entry?.open.delete(requestId) === true) entry.issued += price
    },
  }
}

function forgetOne(entries: Map<Hex, Entry>): void {
  for (const [grantId, { open }] of entries) {
    if (open.size > 0) continue
    entries.delete(grantId)
    return
  }
}
