import { MAX_MODEL_NAME } from '@assay/protocol'
import fastify, { type FastifyInstance } from 'fastify'
import { badRequest } from '../dialects/refusal.ts'
import { refuse } from './refuse.ts'

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
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_PARAMETER },
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, requestTimeoutMs),
      maxHeaderSize: 48 * 1024,
    },
  })
  app.server.maxConnections = MAX_CONNECTIONS

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

  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status === 413) {
      const message = `The body is larger than ${MAX_BODY_BYTES} bytes.`
      return refuse(reply, badRequest(message, null, 'body_too_large', 413))
    }
    if (status < 500)
      return refuse(reply, badRequest('The request cannot be read.', null, 'bad_request', status))
    log('request_failed', { reason: error.name, code: error.code })
    return refuse(reply, {
      status: 500,
      message: 'The node failed to answer. Nothing is charged.',
      type: 'server_error',
      code: 'internal_error',
    })
  })
  app.setNotFoundHandler((request, reply) =>
    refuse(reply, badRequest(`There is no ${request.method} at this path.`, null, 'not_found', 404)),
  )
  return app
}
