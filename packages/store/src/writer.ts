import { randomUUID } from 'node:crypto'
import { createCounters } from './counters.ts'
import type { Database, Hex } from './database.ts'
import { groupCommit } from './groupCommit.ts'
import { type NewReceipt, recordReceipts } from './receipts.ts'
import {
  claimRequests,
  endRequest,
  failClaim,
  type NamedClaim,
  type NewRequest,
  releaseClaim,
} from './requests.ts'
import {
  endPlace,
  type NewGrantCall,
  type ReservationRefusal,
  reserveAtOnce,
  reserveCalls,
} from './reservations.ts'

/**
 * The writes that an answer waits for. Each resolves once it outlives what its database promises to outlive, a claim once
 * it outlives this process; repeating one changes nothing.
 */
export type RequestWriter = {
  /** Claims a payment for its request, against everybody else at once; false means that it is in use or was used. */
  claim(request: NewRequest): Promise<boolean>
  /** Counter of a place under a grant that no call ever had, mostly without a wait; undefined where there is no such grant. */
  takePlace(grantId: Hex): Promise<bigint | undefined>
  /**
   * Sets the highest price of a call aside in its place, against everybody else at once, or says why not. Then nothing of
   * it is written, and it may be tried again. Where the promise is rejected nobody knows, and the call is to be ended.
   */
  reserve(call: NewGrantCall): Promise<ReservationRefusal | undefined>
  /** Makes a receipt durable with its place in the outbox and its payment, and finishes the request. */
  record(receipt: NewReceipt): Promise<void>
  /** Ends a request without a receipt. A finished one stays finished. */
  end(requestId: Hex, state: 'failed' | 'released'): Promise<void>
}

/**
 * Writes straight into the database, those of one moment together. A server is asked to see a claim, or what is set aside under a grant, at
 * once, so that of two gateways one has it, and not to wait for its disk: what the answer ends with waits for that, a receipt or an end
 * without one, and the log that it is written to holds the claim before it. A crash of the server in between takes the
 * claim away. Then no receipt is recorded under it, for another gateway may have claimed the payment since, or given
 * the payer's balance to others; and the end without one is written as if it stood.
 */
export function groupWriter(database: Database): RequestWriter {
  const relaxed = database.engine === 'postgres'
  const claim = groupCommit((items: NamedClaim[]) => claimRequests(database, items, { relaxed }))
  const counters = createCounters(database)
  const reserveOne = groupCommit((items: NewGrantCall[]) => reserveAtOnce(database, items, { relaxed }))
  const judge = groupCommit((items: NewGrantCall[]) => reserveCalls(database, items))
  const record = groupCommit((items: NewReceipt[]) => recordReceipts(database, items))
  /**
   * What this process has claimed, or may have, and not ended: one after another. Each has a name of its own, so that a
   * statement which reaches the database late, long given up here, is never about the next.
   */
  const open = new Map<Hex, NamedClaim>()
  /** Calls under grants of which it is not known whether they are set aside. */
  const unsure = new Map<Hex, NewGrantCall>()
  return {
    async claim(request) {
      const { requestId } = request
      if (open.has(requestId)) return false
      const named = { ...request, claimId: randomUUID() }
      open.set(requestId, named)
      const claimed = await claim(named)
      if (!claimed) open.delete(requestId)
      return claimed
    },
    takePlace: counters.take,
    async reserve(call) {
      unsure.set(call.requestId, call)
      const refusal = (await reserveOne(call)) ? undefined : await judge(call)
      unsure.delete(call.requestId)
      return refusal
    },
    async record(receipt) {
      const { requestId, prepaid } = receipt
      const claimId = open.get(requestId)?.claimId
      // A call under a grant has no claim: nobody else can have its place, and without its row nothing is recorded.
      const stands = prepaid || claimId !== undefined
      if (!stands || !(await record({ ...receipt, claimId })))
        throw new Error('The claim of this payment is gone, or others ended its request.')
      open.delete(requestId)
    },
    async end(requestId, state) {
      const named = open.get(requestId)
      const call = unsure.get(requestId)
      if (call !== undefined) await endPlace(database, call, state)
      else if (named === undefined) await endRequest(database, requestId, state)
      else if (state === 'failed') await failClaim(database, named)
      else await releaseClaim(database, named)
      if (open.get(requestId) === named) open.delete(requestId)
      unsure.delete(requestId)
    },
  }
}
