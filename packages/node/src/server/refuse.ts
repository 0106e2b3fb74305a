import type { createRefusalLines } from '@assay/chain'
import { clientRequestId, type DialectError, dialectPath, errorBody } from '@assay/protocol'
import type { FastifyReply } from 'fastify'
import { JSON_TYPE } from './serve.ts'

/** Name under which a server keeps what writes a refusal down. */
export const NOTE_REFUSAL = 'noteRefusal'

/**
 * Answers with an error in the shape of the dialect that was spoken, also where the framework has let go of the reply,
 * and under an id that is in the log. @param retryAfter seconds
 */
export function refuse(reply: FastifyReply, error: DialectError, retryAfter?: number): FastifyReply {
  const { id } = reply.request
  reply.server.getDecorator<ReturnType<typeof createRefusalLines>>(NOTE_REFUSAL)(id, error)
  const body = Buffer.from(errorBody(error, dialectPath(reply.request)))
  const headers = {
    'content-type': JSON_TYPE,
    ...clientRequestId(id),
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  }
  if (!reply.sent) return reply.code(error.status).headers(headers).send(body)
  reply.raw.writeHead(error.status, { ...headers, 'content-length': body.length }).end(body)
  return reply
}
