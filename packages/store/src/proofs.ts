import {
  canonicalJson,
  type ProofAttachment,
  parseCanonicalJson,
  proofAttachmentFromJson,
  proofAttachmentToJson,
  type SignedReceipt,
} from '@assay/protocol'
import type { Hex, Queryable } from './database.ts'
import { toSigned } from './receipts.ts'

const MAX_ATTACHMENT_BYTES = 2 ** 23

export function attachmentOf(text: string): ProofAttachment {
  return proofAttachmentFromJson(parseCanonicalJson(new TextEncoder().encode(text), MAX_ATTACHMENT_BYTES))
}

/**
 * Receipts that wait for their proofs, the oldest first, and the node that is to make them.
 * @param behind only those that came after this one
 */
export async function unprovenReceipts(
  database: Queryable,
  limit: number,
  behind: Hex | undefined,
): Promise<(SignedReceipt & { nodeUrl: string })[]> {
  const rows = await database.query<{ receipt: string; signature: Hex; node_url: string }>(
    `select r.receipt, r.signature, q.node_url from receipts r join requests q using (request_id)
     where r.state = 'unproven' and ($2::text is null or
       (r.created_at, r.request_id) > (select created_at, request_id from receipts where request_id = $2))
     order by r.created_at, r.request_id limit $1`,
    [limit, behind ?? null],
  )
  return rows.map((row) => ({ ...toSigned(row), nodeUrl: row.node_url }))
}

/** Puts a proof beside its receipt, which goes to the outbox: one statement. Doing it twice changes nothing. */
export async function attachProof(
  database: Queryable,
  requestId: Hex,
  attachment: ProofAttachment,
): Promise<void> {
  await database.query(
    `with proof as (
       insert into proofs (request_id, attachment) values ($1, $2) on conflict (request_id) do nothing
     )
     update receipts set state = 'outbox' where request_id = $1 and state = 'unproven'`,
    [requestId, canonicalJson(proofAttachmentToJson(attachment))],
  )
}

/** Whether a receipt still waits for its proof; locked until the transaction ends, since another gateway may have it. */
export async function lockUnproven(transaction: Queryable, requestId: Hex): Promise<boolean> {
  const rows = await transaction.query(
    `select 1 from receipts where request_id = $1 and state = 'unproven' for update`,
    [requestId],
  )
  return rows.length > 0
}

/** The proof beside a receipt, canonical JSON; undefined where there is none. */
export async function proofOf(database: Queryable, requestId: string): Promise<string | undefined> {
  const rows = await database.query<{ attachment: string }>(
    'select attachment from proofs where request_id = $1',
    [requestId],
  )
  return rows[0]?.attachment
}
