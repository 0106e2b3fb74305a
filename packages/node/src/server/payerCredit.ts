import type { Address } from 'viem'

/** Payers that are remembered; the one that was longest silent is forgotten first. */
const MAX_PAYERS = 4_096

/** What payers have paid here, less what was begun for them since and is not known to be paid. */
export type PayerCredit = {
  /** Adds what an answer cost, or what was lent and turned out to be paid. */
  add(payer: Address, amount: bigint): void
  /** Takes a call's highest price out. False where there is not as much. */
  lend(payer: Address, amount: bigint): boolean
}

/**
 * For whom a call may begin before the chain has spoken for its payment: a payer who paid for as much here before. Whoever
 * has work begun in vain has paid for as much, and must pay as much again before he can repeat it.
 */
export function createPayerCredit(): PayerCredit {
  /** In the order in which they were last heard of. */
  const amounts = new Map<Address, bigint>()
  const set = (payer: Address, amount: bigint): void => {
    amounts.delete(payer)
    if (amount > 0n) amounts.set(payer, amount)
    const silent = amounts.size > MAX_PAYERS ? amounts.keys().next().value : undefined
    if (silent !== undefined) amounts.delete(silent)
  }
  return {
    add: (payer, amount) => set(payer, (amounts.get(payer) ?? 0n) + amount),
    lend(payer, amount) {
      const rest = (amounts.get(payer) ?? 0n) - amount
      if (rest < 0n) return false
      set(payer, rest)
      return true
    },
  }
}
