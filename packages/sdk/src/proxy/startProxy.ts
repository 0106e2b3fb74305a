import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CONFIDENTIAL_HEADERS,
  clientRequestId,
  type DialectError,
  errorBody,
  exchangeId,
  NAME_HEADER,
  type Network,
} from '@assay/protocol'
import type { VerifiedAnswer } from '../answer.ts'
import { asDialectError } from '../asDialectError.ts'
import { type AssayFetchOptions, networkOf } from '../assayFetch.ts'
import { SdkError } from '../errors.ts'
import { MAX_BODY_BYTES, readBounded } from '../limits.ts'
import { isPaidCall } from '../paidCall.ts'
import { createVerifiedFetch } from '../verifiedFetch.ts'
import { type Door, holdsToken, NO_TOKEN, turnedAway } from './door.ts'
import { passAnswer } from './passAnswer.ts'

export type ProxyOptions = AssayFetchOptions & {
  /** 0 for any free one. */
  port: number
  /** What callers must show as their API key. */
  token: string
  /** Origins of pages that may use it; none by default. */
  allowedOrigins?: readonly string[] | undefined
  /** Told of each call when it is over; never of its contents. */
  onCall?: ((call: ProxyCall) => void) | undefined
}

export type ProxyCall = {
  method: string
  path: string
  status: number
  milliseconds: number
  /** Of a verified answer. */
  answer: VerifiedAnswer | undefined
  /** Code of what went wrong. */
  failure: string | undefined
  /** As its client was told it: what the gateway's answer names, else the proxy's own. */
  id: string
}

export type RunningProxy = { url: string; close(): Promise<void> }

const MAX_CONNECTIONS = 256
const REQUEST_TIMEOUT_MS = 60_000
/**
 * Paths that may be asked for: what a client of a model needs, a model's name with all its characters escaped too, the
 * list of these that the gateway's errors point to, and nothing that could become a way to elsewhere, such as a dot that is escaped (WHATWG URL, "double-dot path segment").
 */
const PASSES = /^\/(?:openapi\.json$|v1\/(?:[A-Za-z0-9/_.:~!$&'()*+,;=@-]|%(?!2e)[0-9a-f]{2}){1,512}$)/i

/**
 * An endpoint on 127.0.0.1 for any program that speaks OpenAI's or Anthropic's API: it pays, verifies each answer and
 * hands it on. What it spends is bounded by the limits of its options; who may use it by `door.ts`.
 */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const network = networkOf(options)
  const ask = createVerifiedFetch({ ...options, network })
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 32 * 1024 })
  server.maxConnections = MAX_CONNECTIONS
  const port = await listen(server, options.port)
  const door: Door = { port, token: options.token, allowedOrigins: options.allowedOrigins ?? [] }

  async function serve(request: IncomingMessage, response: ServerResponse, call: ProxyCall): Promise<void> {
    const path = request.url ?? '/'
    const refusal = turnedAway(request.headers, door)
    if (refusal !== undefined) return refuse(response, path, refusal)
    const origin = request.headers.origin
    if (origin !== undefined) allowOrigin(response, origin)
    if (request.method === 'OPTIONS') return void response.writeHead(204).end()
    if (path === '/health') return sayHealth(response, network)
    if (!holdsToken(request.headers, door)) return refuse(response, path, NO_TOKEN)
    const { method = 'GET' } = request
    const [pathname = '/'] = path.split('?')
    if (!PASSES.test(pathname) || pathname.includes('..') || (method !== 'GET' && method !== 'POST')) {
      return refuse(response, path, notFound(method, pathname))
    }
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new Error('the client left'))
    })
    try {
      const body = method === 'POST' ? await readBody(request) : undefined
      const url = new URL(path, network.gatewayUrl)
      const answer = await ask(
        url,
        {
          method,
          headers: forwarded(request),
          signal: gone.signal,
          ...(body === undefined || body.length === 0 ? {} : { body }),
        },
        {
          onAnswer: (verified) => {
            call.answer = verified
          },
          onUnverified: (error) => {
            call.failure = error.code
          },
        },
      )
      await passAnswer(answer, response, {
        path,
        call,
        signal: gone.signal,
        buffer: options.buffer === true,
        isChecked: isPaidCall(method, url.pathname),
      })
    } catch (error) {
      call.failure = failureCode(error, gone.signal)
      if (!response.headersSent && !gone.signal.aborted) refuse(response, path, asDialectError(error))
      else response.destroy()
    }
  }

  server.on('request', (request, response) => {
    const began = performance.now()
    // Of the proxy's own, until there is an answer that has one (`passAnswer.ts`).
    for (const [name, id] of Object.entries(clientRequestId(exchangeId()))) {
      response.setHeader(name, id)
    }
    const call: ProxyCall = {
      method: request.method ?? 'GET',
      path: (request.url ?? '/').split('?')[0] ?? '/',
      status: 0,
      milliseconds: 0,
      answer: undefined,
      failure: undefined,
      id: '',
    }
    void serve(request, response, call).finally(() => {
      options.onCall?.({
        ...call,
        status: response.statusCode,
        id: String(response.getHeader('x-request-id')),
        milliseconds: Math.round(performance.now() - began),
      })
    })
  })

  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A client that leaves has not met a failure: what it had seen is still verified, and counted at its price. */
function failureCode(error: unknown, gone: AbortSignal): string {
  if (error instanceof SdkError) return error.code
  return gone.aborted ? 'cancelled' : 'internal_error'
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port, exclusive: true }, resolve)
  })
  return (server.address() as AddressInfo).port
}

const PASSED = new Set([
  ...['content-type', 'accept', NAME_HEADER, CONFIDENTIAL_HEADERS.maxPrice],
  // W3C Trace Context: the call stays in its client's trace.
  ...['traceparent', 'tracestate'],
])

/** Headers that are the request's own; credentials were for this door, and the rest is the connection's. */
function forwarded(request: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    const passes = PASSED.has(name) || /^(?:x-assay-|anthropic-)/.test(name)
    if (passes && typeof value === 'string') headers.set(name, value)
  }
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined) headers.set('content-encoding', encoding)
  return headers
}

async function readBody(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const length = Number(request.headers['content-length'] ?? 0)
  if (length > MAX_BODY_BYTES) {
    throw new SdkError('The body is larger than this client accepts.', {
      code: 'unsupported_body',
      facts: { maxBytes: MAX_BODY_BYTES },
    })
  }
  return readBounded({ body: request }, 'unsupported_body')
}

function refuse(response: ServerResponse, path: string, error: DialectError): void {
  const body = errorBody(error, path)
  response.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    // Both vendors' clients try again by themselves on some statuses; nothing here is better the second time, except
    // a gateway that was away. A second call would be a second payment.
    'x-should-retry': String(error.code === 'unreachable'),
    // The rest of a body that nobody reads must not be taken for a next request.
    ...(response.req.complete ? {} : { connection: 'close' }),
  })
  response.end(body)
}

function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('vary', 'origin')
  response.setHeader('access-control-allow-methods', 'GET, POST, OPTIONS')
  response.setHeader('access-control-allow-headers', '*, authorization')
  response.setHeader(
    'access-control-expose-headers',
    'x-assay-verified, x-assay-receipt, x-assay-request-id, x-assay-replayed, x-request-id, request-id, x-should-retry, retry-after',
  )
}

function sayHealth(response: ServerResponse, network: Network): void {
  const body = JSON.stringify({ status: 'ok', gateway: network.gatewayUrl, chainId: network.chainId })
  response.writeHead(200, { 'content-type': 'application/json' }).end(body)
}

function notFound(method: string, path: string): DialectError {
  return {
    status: 404,
    message: `There is no ${method} ${path.slice(0, 200)} here; GET /openapi.json lists what there is under /v1.`,
    type: 'invalid_request_error',
    code: 'not_found',
  }
}
