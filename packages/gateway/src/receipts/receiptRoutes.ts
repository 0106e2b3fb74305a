import { type Batch, inclusionToJson, parseBatchFile, proveInclusion, receiptToJson } from '@assay/protocol'
import { type BatchRow, batchFile, findBatch, proofOf, type ReceiptStatus, receiptStatus } from '@assay/store'
import type { FastifyInstance } from 'fastify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'
import { paymentJson } from './paymentJson.ts'

/** Parsed batches kept for the proofs that are asked for right after an answer. */
const MAX_PARSED = 8

type PublicState = 'pending' | 'batched' | 'committed' | 'attested' | 'final' | 'void' | 'failed'

/** Where a request stands, in the words of the public interface. */
function publicState(status: ReceiptStatus): PublicState {
  if (status.signed === undefined) return status.requestState === 'forwarded' ? 'pending' : 'failed'
  if (status.receiptState === 'expired') return 'failed'
  switch (status.batchState) {
    case undefined:
      return 'pending'
    case 'frozen':
      return 'batched'
    case 'expired':
      return 'void'
    default:
      return status.batchState
  }
}

function headerJson(batch: BatchRow): Record<string, string> {
  return {
    committer: batch.committer,
    height: batch.height.toString(),
    root: batch.root,
    sum: batch.sum.toString(),
    exposure: batch.exposure.toString(),
    count: batch.count.toString(),
    dataHash: batch.dataHash,
  }
}

function missing(what: string): RefusedError {
  return new RefusedError({
    status: 404,
    message: `This gateway knows no such ${what}.`,
    type: 'invalid_request_error',
    code: 'not_found',
  })
}

/** An id as it is stored. @throws RefusedError 404 for whatever cannot be one, before it reaches the database */
function idOf(text: string, what: string): Hex {
  const id = text.toLowerCase()
  if (!/^0x[0-9a-f]{64}$/.test(id)) throw missing(what)
  return id as Hex
}

/** Receipts and batches: everything a holder needs to prove an answer without us later. */
export function receiptRoutes(server: FastifyInstance, context: Context): void {
  const { database, deployment } = context
  const parsed = new Map<Hex, Batch>()

  async function batchOf(batchId: Hex): Promise<Batch> {
    const known = parsed.get(batchId)
    if (known !== undefined) return known
    const file = await batchFile(database, batchId)
    if (file === undefined) throw missing('batch')
    const batch = parseBatchFile(file, deployment)
    parsed.set(batchId, batch)
    const oldest = parsed.size > MAX_PARSED ? parsed.keys().next().value : undefined
    if (oldest !== undefined) parsed.delete(oldest)
    return batch
  }

  server.get<{ Params: { id: string } }>('/v1/receipts/:id', async (request) => {
    const status = await receiptStatus(database, idOf(request.params.id, 'request'))
    if (status === undefined) throw missing('request')
    const { requestId, signed, batchId, payment } = status
    const row = batchId === undefined ? undefined : await findBatch(database, batchId)
    return {
      requestId,
      state: publicState(status),
      receipt: signed === undefined ? null : receiptToJson(signed.receipt),
      signature: signed?.signature ?? null,
      grant:
        status.grant === undefined ? null : { id: status.grant.id, counter: status.grant.counter.toString() },
      batchId: batchId ?? null,
      batch: row === undefined ? null : headerJson(row),
      inclusion:
        row === undefined
          ? null
          : inclusionToJson({ ...row, ...proveInclusion(await batchOf(row.batchId), requestId) }),
      transactionHash: status.transactionHash ?? null,
      payment: payment === undefined ? null : paymentJson(payment),
    }
  })

  server.get<{ Params: { id: string } }>('/v1/proofs/:id', async (request, reply) => {
    const attachment = await proofOf(database, idOf(request.params.id, 'proof'))
    if (attachment === undefined) throw missing('proof')
    return reply
      .header('content-type', 'application/json')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(attachment)
  })

  server.get<{ Params: { id: string } }>('/v1/batches/:id', async (request) => {
    const row = await findBatch(database, idOf(request.params.id, 'batch'))
    if (row === undefined) throw missing('batch')
    return {
      batchId: row.batchId,
      state: row.state,
      ...headerJson(row),
      transactionHash: row.transactionHash ?? null,
      settled: row.settled,
    }
  })

  server.get<{ Params: { id: string } }>('/v1/batches/:id/data', async (request, reply) => {
    const file = await batchFile(database, idOf(request.params.id, 'batch'))
    if (file === undefined) throw missing('batch')
    // The bytes under a data hash never change.
    return reply
      .header('content-type', 'application/json')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(Buffer.from(file.buffer, file.byteOffset, file.byteLength))
  })
}
