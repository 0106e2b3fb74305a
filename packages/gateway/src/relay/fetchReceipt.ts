import { type SignedReceipt, signedReceiptFromJson } from '@assay/protocol'
import type { Pool } from 'undici'
import { ask } from '../http/ask.ts'
import { readBounded } from '../nodes/readBounded.ts'

const MAX_RECEIPT_BYTES = 64 * 1024

/** The node's own copy; undefined where it has none or does not answer. */
export async function fetchReceipt(pool: Pool, requestId: string): Promise<SignedReceipt | undefined> {
  try {
    const signal = AbortSignal.timeout(5000)
    const answer = await ask(pool, { method: 'GET', path: `/v1/receipts/${requestId}`, signal })
    const text = (await readBounded(answer.body, MAX_RECEIPT_BYTES)).toString()
    if (answer.statusCode !== 200) return undefined
    const { receipt, signature } = JSON.parse(text)
    return signedReceiptFromJson({ receipt, signature })
  } catch {
    return undefined
  }
}
