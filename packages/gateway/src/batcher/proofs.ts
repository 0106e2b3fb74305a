import {
  MAX_PROOF_BYTES,
  parseCanonicalJson,
  proofAttachmentFromJson,
  type SignedReceipt,
} from '@assay/protocol'
import { attachProof, expireReceipts, lockUnproven, unprovenReceipts } from '@assay/store'
import { proofHolds } from '@assay/verify'
import type { Pool } from 'undici'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { ask } from '../http/ask.ts'
import { readBounded } from '../nodes/readBounded.ts'
import type { Jobs } from './batcher.ts'

/** Receipts in one look. */
const LOOK = 64
/** Proofs asked of one node at once: one that does not answer keeps no other's waiting. */
const MAX_AT_NODE = 4
const RETRY_MS = 500
/** Bodies, card and proof, in base64. */
const MAX_ATTACHMENT_BYTES = 4 * MAX_PROOF_BYTES

/**
 * Fetches the proofs of what nodes have answered, checks them as validators will, and lets their receipts go on to the
 * outbox. One that is not there by includeBy, or does not hold, is never paid: no batch may hold its receipt.
 */
export function createProofCollector(context: Context, jobs: Jobs): () => Promise<void> {
  const { database, nodes, chain, log, metrics } = context
  const nextLook = new Map<Hex, number>()

  async function giveUp(requestId: Hex, why: string): Promise<void> {
    await database.transaction(async (transaction) => {
      if (await lockUnproven(transaction, requestId)) await expireReceipts(transaction, [requestId])
    })
    nextLook.delete(requestId)
    metrics.count('proofs_total', 'refused')
    log('proof_refused', { requestId, why })
  }

  async function collect({
    receipt,
    signature,
    nodeUrl,
  }: SignedReceipt & { nodeUrl: string }): Promise<void> {
    const { requestId, includeBy, modelId } = receipt
    const zk = await fetchProof(nodes.byUrl(nodeUrl)?.pool, requestId)
    if (zk === undefined) {
      nextLook.set(requestId, performance.now() + RETRY_MS)
      const now = BigInt(Math.floor(Date.now() / 1000))
      if (now > includeBy) await giveUp(requestId, 'no proof came by includeBy')
      return
    }
    const { outcome, reason } = await proofHolds(
      { receipt, signature, zk },
      { model: await chain.model(modelId) },
    )
    if (outcome !== 'passed') return giveUp(requestId, reason)
    await attachProof(database, requestId, zk)
    nextLook.delete(requestId)
    metrics.count('proofs_total', 'attached')
    log('proof_attached', { requestId, bytes: zk.proof.length })
  }

  /** Where the last look ended. The next begins behind it, so that receipts whose proofs do not come keep no others waiting. */
  let behind: Hex | undefined
  return async () => {
    const found = await unprovenReceipts(database, LOOK, behind)
    // At the end of the line it begins anew.
    behind = found.length < LOOK ? undefined : found.at(-1)?.receipt.requestId
    for (const unproven of found) {
      const { requestId, node } = unproven.receipt
      if ((nextLook.get(requestId) ?? 0) > performance.now()) continue
      if (jobs.running(`proof:${node}:`) >= MAX_AT_NODE) continue
      jobs.start(`proof:${node}:${requestId}`, () => collect(unproven))
    }
  }
}

/** The node's proof; undefined while it makes one, or where what it sends cannot be read. */
async function fetchProof(pool: Pool | undefined, requestId: Hex) {
  if (pool === undefined) return undefined
  try {
    const signal = AbortSignal.timeout(10_000)
    const answer = await ask(pool, { method: 'GET', path: `/v1/proofs/${requestId}`, signal })
    const bytes = await readBounded(answer.body, MAX_ATTACHMENT_BYTES)
    if (answer.statusCode !== 200) return undefined
    return proofAttachmentFromJson(parseCanonicalJson(bytes, MAX_ATTACHMENT_BYTES))
  } catch {
    return undefined
  }
}
