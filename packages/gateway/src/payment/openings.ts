/** Payers that are remembered; beyond, the one that was longest silent is forgotten. */
const MAX_PAYERS = 50_000

/**
 * Whose streams may begin before the chain has said that it still takes the payment's nonce, and the database that no other
 * gateway has the payment. A payment that was used is signed all the same, so the opening of a stream may go to somebody
 * who never pays for it. It goes to nobody who has not paid for a call since his last: what a payer can have for nothing is
 * one opening for each call that he paid before at this process, and never two at once.
 */
export type Openings = {
  /** Whether this payer may have one now; he then has none until the next call is paid. */
  take(payer: string): boolean
  /** A call of this payer has a receipt that costs something. */
  earn(payer: string): void
}

/** Bytes of a stream that go out before its payment is known to be good: a few dozen tokens. */
export const OPENING_BYTES = 4096

export function createOpenings(): Openings {
  const payers = new Set<string>()
  return {
    take: (payer) => payers.delete(payer.toLowerCase()),
    earn(payer) {
      payers.add(payer.toLowerCase())
      const [oldest] = payers.size > MAX_PAYERS ? payers : []
      if (oldest !== undefined) payers.delete(oldest)
    },
  }
}
