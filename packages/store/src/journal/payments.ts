import type { Hex, Queryable } from '../database.ts'
import type { NewRequest, RequestState } from '../requests.ts'

/** Ids of payments are forgotten when nobody could use them any more; looked at after so many claims. */
const FORGET_EVERY = 4096

/** What became of payments that could still be offered: one that has expired is refused before anybody asks for it. */
export type Payments = {
  /** Whether the payment may be claimed. */
  isFree(requestId: Hex): boolean
  claim(request: NewRequest): void
  /** The request is over; after `released` its payment is free. */
  end(requestId: Hex, state: Exclude<RequestState, 'forwarded'>): void
}

type Payment = { state: RequestState; expiresAt: bigint }

/** One process has the database for itself, so whether a payment is in use is known here without asking. */
export async function openPayments(database: Queryable): Promise<Payments> {
  const rows = await database.query<{ request_id: Hex; state: RequestState; expires_at: string }>(
    `select request_id, state, expires_at::text as expires_at from requests
     where grant_id is null and expires_at >= extract(epoch from now())`,
  )
  const known = new Map<Hex, Payment>(
    rows.map((row) => [row.request_id, { state: row.state, expiresAt: BigInt(row.expires_at) }]),
  )
  let claims = 0
  function forget(): void {
    if (++claims % FORGET_EVERY !== 0) return
    // A minute more than any clock should be wrong by.
    const now = BigInt(Math.floor(Date.now() / 1000)) - 60n
    for (const [requestId, { expiresAt }] of known) if (expiresAt < now) known.delete(requestId)
  }
  return {
    isFree(requestId) {
      const payment = known.get(requestId)
      return payment === undefined || payment.state === 'released'
    },
    claim({ requestId, expiresAt }) {
      known.set(requestId, { state: 'forwarded', expiresAt })
      forget()
    },
    end(requestId, state) {
      const payment = known.get(requestId)
      // Calls under a grant are not here, and a finished one stays finished.
      if (payment?.state !== 'forwarded') return
      known.set(requestId, { state, expiresAt: payment.expiresAt })
    },
  }
}
