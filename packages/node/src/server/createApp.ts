import { createRefusalLines } from '@assay/chain'
import {
  exchangeId,
  isAnswerable,
  MAX_MODEL_NAME,
  notHttp,
  rawRefusal,
  type UnreadableFault,
  unreadable,
} from '@assay/protocol'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { badRequest } from '../dialects/refusal.ts'
import { NOTE_REFUSAL, refuse } from './refuse.ts'

/** Largest request body, bytes: room for pictures, and what a gateway takes by default. */
const MAX_BODY_BYTES = 4 * 1024 * 1024
const MAX_CONNECTIONS = 512
/** Longest part of a path: the name of a model, every character of it escaped. */
const MAX_PARAMETER = 3 * MAX_MODEL_NAME

/** An HTTP server without routes: bounds on what arrives, bodies as raw bytes, and what is said where nothing else fits. */
export function createApp(
  requestTimeoutMs: number,
  log: (event: string, facts: Record<string, unknown>) => void,
): FastifyInstance {
  const noteRefusal = createRefusalLines(log)

  function refuseUnserved(
    error: UnreadableFault & { name: string },
    request: FastifyRequest,
    reply: FastifyReply,
  ): FastifyReply {
    // A route may take less than the rest; what is no HTTP has none.
    const refused = unreadable(error, request.routeOptions?.bodyLimit ?? MAX_BODY_BYTES)
    if (refused !== undefined) return refuse(reply, refused)
    log('request_failed', { id: request.id, reason: error.name, code: error.code })
    return refuse(reply, {
      status: 500,
      message: 'The node failed to answer. Nothing is charged.',
      type: 'server_error',
      code: 'internal_error',
    })
  }

  const app = fastify({
    genReqId: () => exchangeId(),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_PARAMETER },
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, requestTimeoutMs),
      maxHeaderSize: 48 * 1024,
    },
    // A path that cannot be decoded is met by no hook and no error handler.
    frameworkErrors: refuseUnserved,
    clientErrorHandler(error, socket) {
      if (!isAnswerable(error, socket)) return void socket.destroy()
      const refused = notHttp(error)
      const id = exchangeId()
      noteRefusal(id, refused)
      socket.end(rawRefusal(refused, id))
    },
  })
  app.server.maxConnections = MAX_CONNECTIONS
  app.decorate(NOTE_REFUSAL, noteRefusal)

  // The receipt covers raw bytes, so nobody parses them before they are hashed.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.addHook('onRequest', async (request, reply) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      return refuse(
        reply,
        badRequest('Send the body without content-encoding.', null, 'unsupported_encoding', 415),
      )
    }
  })

  app.setErrorHandler(refuseUnserved)
  app.setNotFoundHandler((request, reply) =>
    refuse(reply, badRequest(`There is no ${request.method} at this path.`, null, 'not_found', 404)),
  )
  return app
}
