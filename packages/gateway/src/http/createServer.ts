import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { clientRequestId, errorBody, INFERENCE_PATHS, MAX_MODEL_NAME } from '@assay/protocol'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Limits } from '../limits.ts'
import { CORS_HEADERS, PREFLIGHT_HEADERS } from './cors.ts'
import { type DialectError, RefusedError } from './dialectError.ts'
import { unavailable } from './unavailable.ts'

function ofFramework(error: unknown, limits: Limits): DialectError {
  if (error instanceof RefusedError) return error.dialect
  const away = unavailable(error)
  if (away !== undefined) return away
  const { code, statusCode } = error as { code?: string; statusCode?: number }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE' || statusCode === 413) {
    const message = `The body is larger than ${limits.maxBodyBytes} bytes.`
    return { status: 413, message, type: 'invalid_request_error', code: 'body_too_large' }
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const message = 'The request could not be read.'
    return { status: statusCode, message, type: 'invalid_request_error', code: 'bad_request' }
  }
  const message = 'The gateway failed on this request. Nothing was charged for it; try again.'
  return { status: 500, message, type: 'server_error', code: 'internal_error' }
}

/** What Node's parser refuses before a request exists (RFC 9112): a bad head, one too long, one too slow. */
const CLIENT_ERRORS: Record<string, { status: number; code: string; message: string }> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: 'request_timeout',
    message: 'The request was sent too slowly.',
  },
  HPE_HEADER_OVERFLOW: { status: 431, code: 'headers_too_large', message: 'The headers are too large.' },
}

/**
 * The path by which an error is worded. Those that both vendors have (models, files) do not tell whose client asks; but
 * all of Anthropic's say their version.
 */
function dialectPath({ url, headers }: FastifyRequest): string {
  const tellsIt = Object.hasOwn(INFERENCE_PATHS, url.split('?')[0] ?? '')
  return headers['anthropic-version'] === undefined || tellsIt ? url : '/v1/messages'
}

/**
 * Of an exchange, for as long as no request that is paid for stands behind it: what a client tells of a refusal, and its
 * operator finds in the log. Random, for a count would tell everybody how much is asked here.
 */
const exchangeId = (): string => `req_${randomUUID()}`

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
    genReqId: exchangeId,
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
      if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
      const { status, code, message } = CLIENT_ERRORS[error.code] ?? {
        status: 400,
        code: 'bad_request',
        message: 'The request is not valid HTTP.',
      }
      const refused: DialectError = { status, message, code, type: 'invalid_request_error' }
      // No request was read, so no path says which dialect the client speaks.
      const body = errorBody(refused, '/')
      const id = exchangeId()
      onRefused(id, refused, undefined)
      const headers = {
        ...{ 'content-type': 'application/json', connection: 'close' },
        ...clientRequestId(id),
        'content-length': Buffer.byteLength(body),
      }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
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
