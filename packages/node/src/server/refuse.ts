import { type DialectError, errorBody } from '@assay/protocol'
import type { FastifyReply } from 'fastify'
import { JSON_TYPE } from './serve.ts'

/**
 * Answers with an error in the shape of the dialect that the path belongs to, also where the framework has let go of the
 * reply. @param retryAfter seconds
 */
export function refuse(reply: FastifyReply, error: DialectError, retryAfter?: number): FastifyReply {
  const body = Buffer.from(errorBody(error, reply.request.url))
  const headers = {
    'content-type': JSON_TYPE,
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  }
  if (!reply.sent) return reply.code(error.status).headers(headers).send(body)
  reply.raw.writeHead(error.status, { ...headers, 'content-length': body.length }).end(body)
  return reply
}
