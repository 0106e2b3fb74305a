import { type DialectError, errorBody } from '@assay/protocol'
import type { FastifyReply } from 'fastify'
import { JSON_TYPE } from './serve.ts'

/** Answers with an error in the shape of the dialect that the path belongs to. @param retryAfter seconds */
export function refuse(reply: FastifyReply, error: DialectError, retryAfter?: number): FastifyReply {
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  return reply
    .code(error.status)
    .type(JSON_TYPE)
    .send(Buffer.from(errorBody(error, reply.request.url)))
}
