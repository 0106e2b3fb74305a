import { type BatchEntry, MAX_BATCH_FILE_BYTES } from '@assay/protocol'

/** Characters that a receipt takes in a file at most, with its signature and its share of a row. */
const RECEIPT_BYTES = 2048

/** The first receipts that one batch file holds with their proofs: at least one, whose proof is bounded by itself. */
export function withinFile(receipts: readonly BatchEntry[]): BatchEntry[] {
  let room = MAX_BATCH_FILE_BYTES - RECEIPT_BYTES
  return receipts.filter((entry, at) => {
    room -= bytesOf(entry)
    return at === 0 || room >= 0
  })
}

function bytesOf({ zk }: BatchEntry): number {
  if (zk === undefined) return RECEIPT_BYTES
  const { card, proof, request, response } = zk
  const raw = card.length + proof.length + request.body.length + response.body.length
  // Base64, and heads that may be as long as a server takes them.
  return (
    RECEIPT_BYTES + Math.ceil((raw * 4) / 3) + 16 + request.path.length + request.headers.join('').length * 2
  )
}
