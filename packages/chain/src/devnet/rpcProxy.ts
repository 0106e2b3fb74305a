import http from 'node:http'
import { AssayError } from '@assay/protocol'
import { type Hex, isHash, isHex } from 'viem'
import { postLoopback } from './rpcCall.ts'
import { checkRequest, type RpcRequest, type RpcResponse, rpcError } from './rpcMethods.ts'

/** Body limit, bytes: room for the largest transaction as hex, and for batches. */
const MAX_BODY_BYTES = 2 * 1024 * 1024
const MAX_BATCH_REQUESTS = 1000
const MAX_CONNECTIONS = 512
const UPSTREAM_TIMEOUT_MILLISECONDS = 60_000

export type RpcProxyOptions = {
  port: number
  /** Port of the chain process; undefined while it is being restarted. */
  target(): number | undefined
  /** Called with every transaction the chain accepted, before its sender is told. */
  onAccepted(hash: Hex, raw: Hex): Promise<void>
}
export type RpcProxy = { port: number; close(): Promise<void> }

/**
 * The chain's public door on 127.0.0.1: ordinary methods only, no CORS, and only under a local host name, so that no
 * web page reaches it through DNS rebinding.
 * @throws AssayError `config` where the port is taken.
 */
export async function startRpcProxy(options: RpcProxyOptions): Promise<RpcProxy> {
  const server = http.createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000 },
    (request, response) => {
      void handle(request, response, options).catch(() =>
        answer(response, 500, rpcError(null, -32603, 'Internal error.')),
      )
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  await listen(server, options.port)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), 2000).unref()
      }),
  }
}

function listen(server: http.Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE'
      reject(
        new AssayError(
          taken
            ? `Port ${port} is taken: the chain cannot listen there.`
            : `The chain cannot listen on port ${port}.`,
          {
            code: 'config',
            facts: { port, reason: cause.code },
            next: 'Stop the program that uses it, or choose another port for the chain.',
            cause,
          },
        ),
      )
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, resolve)
  })
}

/** Host names under which a program on this machine reaches us; a rebound page sends its own. */
function isLocalHost(host: string | undefined): boolean {
  return host !== undefined && /^(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?$/i.test(host)
}

async function handle(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  options: RpcProxyOptions,
): Promise<void> {
  if (!isLocalHost(request.headers.host)) {
    return refuse(request, response, 403, 'Only requests to a local host name are served.')
  }
  // A browser sends Origin with every cross-site POST; no page has business here.
  if (request.headers.origin !== undefined && !isLocalOrigin(request.headers.origin)) {
    return refuse(request, response, 403, 'Requests from web pages are not served.')
  }
  if (request.method === 'GET' && request.url === '/health') {
    const ready = options.target() !== undefined
    return answer(response, ready ? 200 : 503, { status: ready ? 'ok' : 'starting' })
  }
  if (request.method !== 'POST') return refuse(request, response, 405, 'Send JSON-RPC requests by POST.')
  const body = await readBody(request)
  if (body === undefined) {
    return refuse(request, response, 413, `The request is larger than ${MAX_BODY_BYTES} bytes.`)
  }
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return answer(response, 200, rpcError(null, -32700, 'Parse error: the body is not JSON.'))
  }
  if (!Array.isArray(value)) {
    const [status, answers] = await serve([value], options)
    return answer(response, status, answers[0] ?? rpcError(null, -32603, 'Internal error.'))
  }
  if (value.length === 0 || value.length > MAX_BATCH_REQUESTS) {
    return answer(response, 200, rpcError(null, -32600, `A batch holds 1 to ${MAX_BATCH_REQUESTS} requests.`))
  }
  const [status, answers] = await serve(value, options)
  return answer(response, status, answers)
}

function isLocalOrigin(origin: string): boolean {
  return /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?$/i.test(origin)
}

/** Checks each request, passes the good ones on as one batch, and puts the answers back in order. */
async function serve(
  values: readonly unknown[],
  options: RpcProxyOptions,
): Promise<[status: number, answers: RpcResponse[]]> {
  const checked = values.map(checkRequest)
  const forwarded: RpcRequest[] = []
  for (const entry of checked)
    if ('request' in entry && entry.request.method !== 'eth_accounts') forwarded.push(entry.request)
  const port = options.target()
  let results: RpcResponse[] | undefined = []
  if (forwarded.length > 0) {
    results = port === undefined ? undefined : await forward(forwarded, port).catch(() => undefined)
  }
  if (results === undefined) {
    const text = 'The chain process is being restarted; try again in a moment.'
    return [503, values.map((_, at) => rpcError(idOf(checked[at]), -32000, text))]
  }
  const byIndex = results
  let next = 0
  const answers = checked.map(async (entry): Promise<RpcResponse> => {
    if ('refused' in entry) return entry.refused
    const { id, method, params } = entry.request
    if (method === 'eth_accounts') return { jsonrpc: '2.0', id, result: [] }
    const result = byIndex[next++]
    if (result === undefined) return rpcError(id, -32603, 'The chain process gave no answer.')
    if (method === 'eth_sendRawTransaction' && isHash(String(result.result)) && isHex(params[0])) {
      try {
        await options.onAccepted(String(result.result) as Hex, params[0])
      } catch (error) {
        return rpcError(
          id,
          -32000,
          error instanceof AssayError ? error.shortMessage : 'The transaction could not be recorded.',
        )
      }
    }
    return { ...result, id }
  })
  return [200, await Promise.all(answers)]
}

function idOf(entry: ReturnType<typeof checkRequest> | undefined): RpcResponse['id'] {
  if (entry === undefined) return null
  return 'request' in entry ? entry.request.id : entry.refused.id
}

/** Sends requests under ids of our own (the callers' may repeat) and returns the answers in the same order. */
async function forward(requests: readonly RpcRequest[], port: number): Promise<RpcResponse[]> {
  const batch = requests.map((request, at) => ({ ...request, id: at }))
  const body = JSON.stringify(batch.length === 1 ? batch[0] : batch)
  const answered = await postLoopback(port, body, UPSTREAM_TIMEOUT_MILLISECONDS)
  const parsed: unknown = JSON.parse(answered.toString('utf8'))
  const list = (Array.isArray(parsed) ? parsed : [parsed]) as RpcResponse[]
  const ordered: RpcResponse[] = []
  for (const entry of list) ordered[Number(entry.id ?? 0)] = entry
  return ordered
}

/** Whole body; undefined where it is too large. */
function readBody(request: http.IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return resolve(undefined)
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_BODY_BYTES) resolve(undefined)
      else chunks.push(chunk)
    })
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', reject)
    request.once('close', () => reject(new Error('The request broke off.')))
  })
}

function refuse(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  status: number,
  message: string,
): void {
  // The rest of the body is not read; the connection cannot be used again.
  response.setHeader('connection', 'close')
  answer(response, status, rpcError(null, -32600, message))
  request.resume()
  setTimeout(() => request.destroy(), 1000).unref()
}

function answer(response: http.ServerResponse, status: number, value: unknown): void {
  if (response.headersSent || response.destroyed) return
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}
