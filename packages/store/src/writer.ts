import type { Database, Hex } from './database.ts'
import { groupCommit } from './groupCommit.ts'
import { type NewReceipt, recordReceipts } from './receipts.ts'
import { claimRequests, endRequest, type NewRequest } from './requests.ts'

/** A payment that is one request's from now on, whatever becomes of this process. */
export type Claim = {
  /** Resolves once the disk has it, which nothing that is acknowledged, recorded or looked up under it may precede. */
  durable: Promise<unknown>
}

/** The writes that an answer waits for. Each resolves once it is durable, and repeating one changes nothing. */
export type RequestWriter = {
  /** Claims a payment for its request, against everybody else at once; undefined means that it is in use or was used. */
  claim(request: NewRequest): Promise<Claim | undefined>
  /** Makes a receipt durable with its place in the outbox and its payment, and finishes the request. */
  record(receipt: NewReceipt): Promise<void>
  /** Ends a request without a receipt. A finished one stays finished. */
  end(requestId: Hex, state: 'failed' | 'released'): Promise<void>
}

/** Writes straight into the database, those of one moment together. */
export function groupWriter(database: Database): RequestWriter {
  const claim = groupCommit((items: NewRequest[]) => claimRequests(database, items))
  const record = groupCommit((items: NewReceipt[]) => recordReceipts(database, items))
  return {
    // Others may claim it too, so the database decides; what it has decided is durable.
    claim: async (request) => ((await claim(request)) ? { durable: Promise.resolve() } : undefined),
    record: async (receipt) => void (await record(receipt)),
    end: (requestId, state) => endRequest(database, requestId, state),
  }
}
