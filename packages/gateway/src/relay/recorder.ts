import { setTimeout as delay } from 'node:timers/promises'
import {
  AssayError,
  type BatchEntry,
  canonicalJson,
  MODE,
  receiptLeaf,
  receiptToJson,
  SCHEME,
} from '@assay/protocol'
import type { NewReceipt, RequestWriter } from '@assay/store'
import { zeroHash } from 'viem'
import type { Context } from '../context.ts'

/** Rest between two tries to write a receipt while the database is away, milliseconds. */
const PERSIST_EVERY_MS = 250

/** Makes checked receipts durable: receipt, outbox and payment together, and then what this process knows of the payer. */
export function createRecorder({
  writer,
  allowance,
  openings,
  ledger,
  limits,
}: Pick<Context, 'allowance' | 'openings' | 'ledger' | 'limits'> & {
  writer: RequestWriter
}): Context['record'] {
  return async (signed: BatchEntry, scheme: number, { unlessEnded }: Pick<NewReceipt, 'unlessEnded'>) => {
    const { receipt, signature } = signed
    const { requestId, payer, price } = receipt
    await persistently(limits.persistMs, () =>
      writer.record({
        requestId,
        receipt: canonicalJson(receiptToJson(receipt)),
        signature,
        leaf: receiptLeaf(signed),
        price,
        collectAmount: price,
        prepaid: scheme === SCHEME.grant,
        unproven: receipt.mode === MODE.zk && receipt.evidenceHash !== zeroHash,
        unlessEnded,
      }),
    )
    allowance.settle(requestId, price)
    if (price > 0n) openings.earn(payer)
    // The scheme decides what leaves the payer: all of an `exact` payment, the price of an `upto` one.
    if (price === 0n) ledger.release(requestId)
    else if (scheme === SCHEME.upto) ledger.set(requestId, payer, price)
  }
}

/** Repeats a write that changes nothing when it is repeated, while the database is away for a moment. */
async function persistently<Result>(patienceMs: number, write: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      return await write()
    } catch (error) {
      const away = error instanceof AssayError && error.code === 'unreachable'
      if (!away || performance.now() > deadline) throw error
      await delay(PERSIST_EVERY_MS)
    }
  }
}
