import {
  INFERENCE_PATHS,
  type InferenceRoute,
  listedHeaders,
  quoteMaximum,
  readIntent,
  requestHash,
} from '@assay/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Address } from 'viem'
import type { Context } from '../context.ts'
import { credentialOf } from '../grants/credential.ts'
import { relayUnderGrant } from '../grants/relayUnderGrant.ts'
import { RefusedError } from '../http/dialectError.ts'
import { messageOf } from '../log.ts'
import { type InferenceNode, readBounded } from '../nodes/nodePool.ts'
import { admit } from '../payment/admit.ts'
import { claimAndRelay } from './claimAndRelay.ts'
import { confidentialRoutes } from './confidentialRoutes.ts'
import { requireCoverage } from './requireCoverage.ts'
import { headerPairs, requestHeaders, responseHeaders } from './upstreamHeaders.ts'

/** The paid routes: read what is asked, quote, admit the payment, claim it durably, relay. */
export function inferenceRoutes(server: FastifyInstance, context: Context): void {
  let running = 0
  context.metrics.gauge('running_requests', 'Requests being relayed.', () => running)

  async function bounded(work: () => Promise<void>): Promise<void> {
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

  for (const [path, route] of Object.entries(INFERENCE_PATHS)) {
    server.post(path, async (request, reply) => {
      await bounded(() => handle(context, path, route, request, reply))
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
  const node = nodeFor(context, model.name)
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
async function quote(context: Context, route: InferenceRoute, body: Uint8Array) {
  const read = readIntent(route, body, (name) => context.models.get(name)?.contextLength)
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

/** @param among operators that may serve; none = any. @throws RefusedError 503 */
function nodeFor(context: Context, model: string, among: readonly Address[] = []): InferenceNode {
  const node = context.nodes.pick(model, among)
  if (node !== undefined) return node
  context.metrics.count('refused_total', 'no_node')
  const whose = among.length === 0 ? '' : ' of those that the grant names'
  throw new RefusedError({
    status: 503,
    message: `No healthy inference node${whose} serves ${model} right now. Nothing is charged; try again.`,
    type: 'server_error',
    code: 'no_node',
    headers: { 'retry-after': '1' },
  })
}

async function handle(
  context: Context,
  path: string,
  route: InferenceRoute,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const arrivedAt = performance.now()
  const body = bodyOf(request)
  const header = single(request.headers['payment-signature'])
  const credential = header === undefined ? await credentialOf(context, request.headers) : undefined
  const { model, maximum } = await quote(context, route, body)
  const node = nodeFor(context, model.name, credential?.grant.nodes)
  await requireCoverage(context, single(request.headers['x-assay-value-at-risk']), maximum, node)
  const hash = requestHash({
    method: request.method,
    path: request.raw.url ?? path,
    headers: listedHeaders(headerPairs(request.raw.rawHeaders)),
    body,
  })
  const asked = { model, node, requestHash: hash, body, maximum, arrivedAt }
  if (credential !== undefined) return relayUnderGrant(context, request, reply, { credential, ...asked })
  const url = `${context.network.gatewayUrl}${path}`
  const { payment, nonceUnused } = await admit(context, header, maximum, url)
  await claimAndRelay(context, request, reply, { payment, nonceUnused, ...asked })
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
