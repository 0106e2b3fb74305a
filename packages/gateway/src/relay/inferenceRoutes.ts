import {
  INFERENCE_PATHS,
  type InferenceRoute,
  listedHeaders,
  quoteMaximum,
  readIntent,
  requestHash,
} from '@assay/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { credentialOf } from '../grants/credential.ts'
import { relayUnderGrant } from '../grants/relayUnderGrant.ts'
import { RefusedError } from '../http/dialectError.ts'
import { messageOf } from '../log.ts'
import { readBounded } from '../nodes/readBounded.ts'
import { settlementTypeOf } from '../opengradient/settlementType.ts'
import { admit } from '../payment/admit.ts'
import { readAsked } from '../routing/asked.ts'
import { route } from '../routing/route.ts'
import { claimAndRelay } from './claimAndRelay.ts'
import { confidentialRoutes } from './confidentialRoutes.ts'
import { headerPairs, requestHeaders, responseHeaders } from './upstreamHeaders.ts'

/** The paid routes: read what is asked, quote, admit the payment, claim it durably, relay. */
export function inferenceRoutes(server: FastifyInstance, context: Context): void {
  let running = 0
  context.metrics.gauge('running_requests', 'Requests being relayed.', () => running)

  async function bounded(work: () => Promise<void>): Promise<void> {
    if (context.draining) {
      context.metrics.count('refused_total', 'draining')
      throw new RefusedError({
        status: 503,
        message: 'This gateway is about to stop. Nothing is charged; send the request again.',
        type: 'server_error',
        code: 'draining',
        headers: { 'retry-after': '1', connection: 'close' },
      })
    }
    if (running >= context.limits.maxConcurrent) {
      context.metrics.count('refused_total', 'busy')
      throw new RefusedError({
        status: 429,
        message: `The gateway is relaying ${running} requests, which is its limit. Try again in a second.`,
        type: 'rate_limit_error',
        code: 'busy',
        headers: { 'retry-after': '1' },
      })
    }
    running += 1
    try {
      await work()
    } finally {
      running -= 1
    }
  }

  for (const [path, dialect] of Object.entries(INFERENCE_PATHS)) {
    server.post(path, async (request, reply) => {
      await bounded(() => handle(context, path, dialect, request, reply))
      return reply
    })
  }
  server.post(COUNT_PATH, async (request, reply) => {
    await bounded(() => countTokens(context, request, reply))
    return reply
  })
  confidentialRoutes(server, context, bounded)
}

/** Counting costs nothing and promises nothing, so it carries neither payment nor receipt. */
const COUNT_PATH = '/v1/messages/count_tokens'

async function countTokens(context: Context, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const body = bodyOf(request)
  const { model } = await quote(context, 'count_tokens', body)
  const { node } = route(context, readAsked({}, { model, maximum: 0n }))
  const upstream = await node.pool
    .request({
      method: 'POST',
      path: request.raw.url ?? COUNT_PATH,
      headers: requestHeaders(request.raw.rawHeaders, context.committer),
      body,
      signal: AbortSignal.timeout(context.limits.nodeTimeoutMs),
    })
    .catch((cause: unknown) => {
      context.log('count_failed', { node: node.operator, why: messageOf(cause) })
      throw new RefusedError({
        status: 503,
        message: 'The inference node could not be reached. Try again.',
        type: 'server_error',
        code: 'node_unreachable',
        headers: { 'retry-after': '1' },
      })
    })
  const bytes = await readBounded(upstream.body, context.limits.maxAnswerBytes)
  await reply.code(upstream.statusCode).headers(responseHeaders(upstream.headers)).send(bytes)
}

function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array(0)
}

/** What the body asks for, and at most how much that costs. @throws RefusedError */
async function quote(context: Context, dialect: InferenceRoute, body: Uint8Array) {
  const read = readIntent(dialect, body, (name) => context.models.get(name)?.contextLength)
  if ('problem' in read) {
    const { problem } = read
    context.metrics.count('refused_total', problem.code)
    const status = problem.code === 'model_not_found' ? 404 : 400
    throw new RefusedError({ ...problem, status, type: 'invalid_request_error' })
  }
  const model = context.models.get(read.intent.model)
  if (model === undefined) throw new Error('unreachable: readIntent knows only listed models')
  const maximum = quoteMaximum(await context.priceOf(model.modelId), body.length, read.intent.maxOutput)
  return { model, maximum }
}

async function handle(
  context: Context,
  path: string,
  dialect: InferenceRoute,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const arrivedAt = performance.now()
  // A type that there is not is refused before anything is paid.
  if (context.statements !== undefined) settlementTypeOf(request.headers)
  const body = bodyOf(request)
  const header = single(request.headers['payment-signature'])
  const credential = header === undefined ? await credentialOf(context, request.headers) : undefined
  const { model, maximum } = await quote(context, dialect, body)
  const among = credential?.grant.nodes ?? []
  const chosen = route(context, readAsked(request.headers, { model, maximum, among }))
  const hash = requestHash({
    method: request.method,
    path: request.raw.url ?? path,
    headers: listedHeaders(headerPairs(request.raw.rawHeaders)),
    body,
  })
  const asked = { model, route: chosen, requestHash: hash, body, maximum, arrivedAt }
  if (credential !== undefined) return relayUnderGrant(context, request, reply, { credential, ...asked })
  const url = `${context.network.gatewayUrl}${path}`
  const { payment, nonceUnused } = await admit(context, header, maximum, url)
  await claimAndRelay(context, request, reply, { payment, nonceUnused, ...asked })
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
