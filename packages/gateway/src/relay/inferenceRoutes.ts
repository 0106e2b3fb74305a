import { traceExchange } from '@assay/chain/tracing'
import {
  anthropicVersionProblem,
  INFERENCE_PATHS,
  type InferenceRoute,
  listedHeaders,
  mediaTypeProblem,
  requestHash,
} from '@assay/protocol'
import type { AnswerName } from '@assay/store'
import type { CheckedPayment } from '@assay/verify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { type Credential, carriesForeignKey, credentialOf } from '../grants/credential.ts'
import { relayUnderGrant } from '../grants/relayUnderGrant.ts'
import { type Answer, ask } from '../http/ask.ts'
import { RefusedError } from '../http/dialectError.ts'
import { nameOf } from '../idempotency/nameOf.ts'
import { recall } from '../idempotency/recall.ts'
import { messageOf } from '../log.ts'
import { readBounded } from '../nodes/readBounded.ts'
import { settlementTypeOf } from '../opengradient/settlementType.ts'
import { admit, authenticate } from '../payment/admit.ts'
import { readAsked } from '../routing/asked.ts'
import { route } from '../routing/route.ts'
import { claimAndRelay } from './claimAndRelay.ts'
import { confidentialRoutes } from './confidentialRoutes.ts'
import { bodyOf, quote } from './quote.ts'
import { traceOf } from './traceOf.ts'
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
      traceExchange(request.raw, reply.raw)
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
  mustBeReadable(context, 'count_tokens', request)
  const body = bodyOf(request)
  const { model } = await quote(context, 'count_tokens', body)
  const { node } = route(context, readAsked({}, { model, path: undefined, maximum: 0n }))
  let upstream: Answer
  let bytes: Uint8Array
  try {
    upstream = await ask(node.pool, {
      method: 'POST',
      path: request.raw.url ?? COUNT_PATH,
      headers: requestHeaders(request.raw.rawHeaders, context.committer),
      body,
      signal: AbortSignal.timeout(context.limits.nodeTimeoutMs),
    })
    bytes = await readBounded(upstream.body, context.limits.maxAnswerBytes)
  } catch (cause) {
    context.log('count_failed', { node: node.operator, why: messageOf(cause) })
    throw new RefusedError({
      status: 503,
      message: 'The inference node could not be reached, or broke off. Try again.',
      type: 'server_error',
      code: 'node_unreachable',
      headers: { 'retry-after': '1' },
    })
  }
  await reply.code(upstream.statusCode).headers(responseHeaders(upstream.headers)).send(bytes)
}

/** What no node would read is refused before anybody signs for it, or it is counted under a grant. */
function mustBeReadable(context: Context, dialect: InferenceRoute, { headers }: FastifyRequest): void {
  const isAnthropic = dialect === 'messages' || dialect === 'count_tokens'
  const problem =
    mediaTypeProblem(headers['content-type']) ??
    (isAnthropic ? anthropicVersionProblem(single(headers['anthropic-version'])) : undefined)
  if (problem === undefined) return
  context.metrics.count('refused_total', problem.code)
  throw new RefusedError(problem)
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
  mustBeReadable(context, dialect, request)
  const body = bodyOf(request)
  const header = single(request.headers['payment-signature'])
  const credential = header === undefined ? await credentialOf(context, request.headers) : undefined
  const { model, maximum } = await quote(context, dialect, body)
  const among = credential?.grant.nodes ?? []
  const asking = readAsked(request.headers, { model, path, maximum, among })
  // Nobody should sign a payment for what nobody would answer.
  if (header === undefined && credential === undefined) {
    nameOf(request.headers, undefined)
    route(context, asking)
  }
  const hash = requestHash({
    method: request.method,
    path: request.raw.url ?? path,
    headers: listedHeaders(headerPairs(request.raw.rawHeaders)),
    body,
  })
  const url = `${context.network.gatewayUrl}${path}`
  const payment =
    credential === undefined
      ? await authenticate(context, header, maximum, url, carriesForeignKey(request.headers))
      : undefined
  const name = answerName(request, credential ?? (payment as CheckedPayment), header)
  if (name !== undefined) {
    const kept = await recall(context, name, { requestHash: hash, requestId: payment?.requestId })
    if (kept !== undefined)
      return void reply.code(kept.status).headers(kept.headers).send(Buffer.from(kept.body))
  }
  try {
    const trace = traceOf(request.headers)
    const asked = { model, route: route(context, asking), requestHash: hash, body, maximum, arrivedAt, trace }
    if (credential !== undefined) {
      return await relayUnderGrant(context, request, reply, { credential, name, ...asked })
    }
    const authentic = payment as CheckedPayment
    await admit(context, authentic, maximum, url)
    await claimAndRelay(context, request, reply, { payment: authentic, name, ...asked })
  } catch (error) {
    if (name !== undefined) await context.names.free(name)
    throw error
  }
}

/** The client's name for its request, within what the same key or payer has named. */
function answerName(
  { headers }: FastifyRequest,
  by: Pick<Credential, 'keyHash'> | Pick<CheckedPayment, 'payer'>,
  payment: string | undefined,
): AnswerName | undefined {
  const id = nameOf(headers, payment)
  if (id === undefined) return undefined
  return { id, scope: 'keyHash' in by ? `key:${by.keyHash}` : `payer:${by.payer.toLowerCase()}` }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
