/**
 * What accepted payments may still take from each payer that the chain does not show yet. Without it one balance would
 * back any number of requests at once. Each gateway process knows its own part; beside
 * others, `covered.ts` asks the database for the rest.
 */
export type Ledger = {
  /** OPG base units. */
  openOf(payer: string): bigint
  /** Whether a request may still take something. */
  has(requestId: string): boolean
  /** Sets what a request may take; 0 forgets it. */
  set(requestId: string, payer: string, amount: bigint): void
  release(requestId: string): void
  /** All requests that may still take something. */
  requests(): string[]
}

export function createLedger(): Ledger {
  const open = new Map<string, { payer: string; amount: bigint }>()
  const totals = new Map<string, bigint>()
  function add(payer: string, amount: bigint): void {
    const total = (totals.get(payer) ?? 0n) + amount
    if (total === 0n) totals.delete(payer)
    else totals.set(payer, total)
  }
  function release(requestId: string): void {
    const entry = open.get(requestId)
    if (entry === undefined) return
    open.delete(requestId)
    add(entry.payer, -entry.amount)
  }
  return {
    openOf: (payer) => totals.get(payer.toLowerCase()) ?? 0n,
    has: (requestId) => open.has(requestId),
    set(requestId, payer, amount) {
      release(requestId)
      if (amount === 0n) return
      open.set(requestId, { payer: payer.toLowerCase(), amount })
      add(payer.toLowerCase(), amount)
    },
    release,
    requests: () => [...open.keys()],
  }
}
