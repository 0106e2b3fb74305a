import {
  clientRequestId,
  dialectPath,
  errorBody,
  exchangeId,
  isAnswerable,
  MAX_MODEL_NAME,
  notHttp,
  rawRefusal,
  type UnreadableFault,
  unreadable,
} from '@assay/protocol'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Limits } from '../limits.ts'
import { CORS_HEADERS, PREFLIGHT_HEADERS } from './cors.ts'
import { type DialectError, RefusedError } from './dialectError.ts'
import { unavailable } from './unavailable.ts'

function ofFramework(error: unknown, limits: Limits): DialectError {
  if (error instanceof RefusedError) return error.dialect
  const away = unavailable(error)
  if (away !== undefined) return away
  const refused = unreadable(error as UnreadableFault, limits.maxBodyBytes)
  if (refused !== undefined) return refused
  const message = 'The gateway failed on this request. Nothing was charged for it; try again.'
  return { status: 500, message, type: 'server_error', code: 'internal_error' }
}

/** What every answer begins with. */
const greet = ({ id }: FastifyRequest, reply: FastifyReply): FastifyReply =>
  reply.headers(CORS_HEADERS).headers(clientRequestId(id))

/** Longest part of a path: the name of a model, every character of it escaped. */
const MAX_PARAMETER = 3 * MAX_MODEL_NAME

/**
 * An HTTP server with our bounds, our error shape, an id on every exchange and CORS, and no routes.
 * @param onRefused hears of each error answer under its exchange's id; `failure` is what is nobody's mistake: a part
 * that is away, or an error of ours
 */
export function createServer(
  limits: Limits,
  onRefused: (id: string, answer: DialectError, failure: unknown) => void,
): FastifyInstance {
  function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const refused = ofFramework(error, limits)
    const isFailure = !(error instanceof RefusedError) && refused.status >= 500
    onRefused(request.id, refused, isFailure ? error : undefined)
    if (refused.status === 413 || refused.status === 415) reply.header('connection', 'close')
    return reply
      .code(refused.status)
      .headers(refused.headers ?? {})
      .header('content-type', 'application/json')
      .send(errorBody(refused, dialectPath(request)))
  }

  const server = Fastify({
    logger: false,
    genReqId: () => exchangeId(),
    bodyLimit: limits.maxBodyBytes,
    routerOptions: { maxParamLength: MAX_PARAMETER },
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: 60_000,
    forceCloseConnections: 'idle',
    http: {
      headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
      // How often Node looks for slow requests; its default of 30 s would let them live that much longer.
      connectionsCheckingInterval: Math.max(
        100,
        Math.min(1000, limits.headersTimeoutMs, limits.requestTimeoutMs) / 2,
      ),
      maxHeaderSize: 32 * 1024,
    },
    // A path that cannot be decoded is met by no hook and no error handler.
    frameworkErrors: (error, request, reply) => refuse(error, request, greet(request, reply)),
    clientErrorHandler(error, socket) {
      if (!isAnswerable(error, socket)) return void socket.destroy()
      const refused = notHttp(error)
      const id = exchangeId()
      onRefused(id, refused, undefined)
      socket.end(rawRefusal(refused, id))
    },
  })
  server.server.maxConnections = limits.maxConnections
  // Bodies are bytes to us: what is hashed and forwarded is what arrived, whatever its type claims to be.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  server.addHook('onRequest', (request, reply, done) => {
    greet(request, reply)
    if (request.method === 'OPTIONS') return void reply.code(204).headers(PREFLIGHT_HEADERS).send()
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
      throw new RefusedError({
        status: 415,
        message:
          'Bodies travel unencoded, because a receipt covers their bytes. Send it without content-encoding.',
        type: 'invalid_request_error',
        code: 'unsupported_content_encoding',
      })
    }
    done()
  })
  server.setErrorHandler(refuse)
  server.setNotFoundHandler((request) => {
    throw new RefusedError({
      status: 404,
      message: `There is no ${request.method} ${request.url.split('?')[0]?.slice(0, 200)}; GET /openapi.json lists what there is.`,
      type: 'invalid_request_error',
      code: 'not_found',
    })
  })
  return server
}
