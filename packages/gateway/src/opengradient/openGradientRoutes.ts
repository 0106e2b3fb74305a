import { toBase64 } from '@assay/protocol'
import { settlementTree } from '@assay/protocol/opengradient'
import { findBatch, statementsOf } from '@assay/store'
import type { FastifyInstance } from 'fastify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { ask } from '../http/ask.ts'
import { RefusedError } from '../http/dialectError.ts'
import { readBounded } from '../nodes/readBounded.ts'

/** What an enclave says of itself, which its node answers. */
const OF_THE_NODE = ['/signing-key', '/heartbeat/status', '/enclave/attestation']
const MAX_BYTES = 64 * 1024

/** Routes of OpenGradient's wire format that Assay's own does not have. */
export function openGradientRoutes(server: FastifyInstance, context: Context): void {
  for (const path of OF_THE_NODE) {
    server.get(path, async (request, reply) => {
      const node = context.nodes.nodes.find(({ healthy }) => healthy)
      if (node === undefined) throw unavailable()
      const answer = await ask(node.pool, { method: 'GET', path: request.raw.url ?? path }).catch(() => {
        throw unavailable()
      })
      const body = await readBounded(answer.body, MAX_BYTES)
      const type = answer.headers['content-type']
      return reply
        .code(answer.statusCode)
        .header('content-type', typeof type === 'string' ? type : 'application/json')
        .send(body)
    })
  }

  // What the root of a BatchSettlement is made of, so that anybody can make it again.
  server.get<{ Params: { id: string } }>('/opengradient/batches/:id', async (request) => {
    const id = request.params.id.toLowerCase() as Hex
    const batch = /^0x[0-9a-f]{64}$/.test(id) ? await findBatch(context.database, id) : undefined
    if (batch === undefined) throw notFound()
    const told = (await statementsOf(context.database, id)).filter(({ settlement }) => settlement === 'batch')
    return {
      batchId: id,
      dataHash: batch.dataHash,
      merkleRoot: told.length === 0 ? null : settlementTree(told).root,
      transactionHash: told[0]?.transactionHash ?? null,
      leaves: told.map(({ requestId, teeId, requestHash, outputHash, signature, timestamp }) => ({
        requestId,
        teeId,
        inputHash: requestHash,
        outputHash,
        signature: toBase64(signature),
        timestamp,
      })),
    }
  })
}

function unavailable(): RefusedError {
  return new RefusedError({
    status: 503,
    message: 'No healthy inference node answers right now. Try again.',
    type: 'server_error',
    code: 'no_node',
    headers: { 'retry-after': '1' },
  })
}

function notFound(): RefusedError {
  const message = 'This gateway knows no such batch.'
  return new RefusedError({ status: 404, message, type: 'invalid_request_error', code: 'not_found' })
}
