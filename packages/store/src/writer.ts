import type { Database, Hex } from './database.ts'
import { groupCommit } from './groupCommit.ts'
import { type NewReceipt, recordReceipts } from './receipts.ts'
import { claimRequests, endRequest, type NewRequest } from './requests.ts'

/** The writes that an answer waits for. Each resolves once it is durable, and repeating one changes nothing. */
export type RequestWriter = {
  /** Claims a payment for its request; false means that it is in use or was used. */
  claim(request: NewRequest): Promise<boolean>
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
    claim,
    record: async (receipt) => void (await record(receipt)),
    end: (requestId, state) => endRequest(database, requestId, state),
  }
}
