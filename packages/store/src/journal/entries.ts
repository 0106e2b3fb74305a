import type { Hex, Queryable } from '../database.ts'
import { type NewReceipt, recordReceipts } from '../receipts.ts'
import { claimRequests, endRequest, type NewRequest } from '../requests.ts'
import { type PlacedCall, placeCalls } from '../reservations.ts'
import type { Group } from './segment.ts'

/** What a journal holds: the writes that an answer waits for. */
export type Entry =
  | { kind: 'claim'; request: NewRequest }
  | { kind: 'reserve'; call: PlacedCall }
  | { kind: 'record'; receipt: NewReceipt }
  | { kind: 'end'; requestId: Hex; state: 'failed' | 'released' }

/** An entry and its place. */
export type Numbered = { seq: number; entry: Entry }

/** Members that are integers of any size; decimal strings in the file. */
const BIG = new Set(['authorised', 'expiresAt', 'price', 'collectAmount', 'counter'])

export const encode = (group: Group<Entry>): string =>
  JSON.stringify(group, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
export const decode = (json: string): Group<Entry> =>
  JSON.parse(json, (name, value) => (BIG.has(name) ? BigInt(value) : value)) as Group<Entry>

/** Does to the database what the entries say. */
export async function applyEntries(transaction: Queryable, entries: readonly Entry[]): Promise<void> {
  for (const run of runs(entries)) await applyRun(transaction, run)
}

/**
 * Entries of one kind together, since each run is one statement, and those of one request in their order: nothing else
 * of the order matters. Calls one after another would else take a statement for each claim and each receipt.
 */
function runs(entries: readonly Entry[]): Entry[][] {
  const found: Entry[][] = []
  const next = new Map<Hex, number>()
  for (const entry of entries) {
    const requestId = requestOf(entry)
    const from = next.get(requestId) ?? 0
    let at = found.findIndex((run, index) => index >= from && run[0]?.kind === entry.kind)
    if (at === -1) at = found.push([]) - 1
    found[at]?.push(entry)
    next.set(requestId, at + 1)
  }
  return found
}

function requestOf(entry: Entry): Hex {
  switch (entry.kind) {
    case 'claim':
      return entry.request.requestId
    case 'reserve':
      return entry.call.requestId
    case 'record':
      return entry.receipt.requestId
    case 'end':
      return entry.requestId
  }
}

async function applyRun(transaction: Queryable, run: readonly Entry[]): Promise<void> {
  const requests = run.flatMap((entry) => (entry.kind === 'claim' ? [entry.request] : []))
  const calls = run.flatMap((entry) => (entry.kind === 'reserve' ? [entry.call] : []))
  const receipts = run.flatMap((entry) => (entry.kind === 'record' ? [entry.receipt] : []))
  if (requests.length > 0) await claimRequests(transaction, requests)
  if (calls.length > 0) await placeCalls(transaction, calls)
  if (receipts.length > 0 && (await recordReceipts(transaction, receipts)).includes(false)) {
    throw new Error('A receipt in the journal has no claim before it.')
  }
  for (const entry of run)
    if (entry.kind === 'end') await endRequest(transaction, entry.requestId, entry.state)
}
