import { listedHeaders, quoteMaximum, readIntent, requestHash } from '@assay/protocol'
import { endRequest } from '@assay/store'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'
import { admit, paymentUsed } from '../payment/admit.ts'
import { encodeCollect } from '../payment/collectArgument.ts'
import { relay } from './relay.ts'
import { headerPairs } from './upstreamHeaders.ts'

const PATH = '/v1/chat/completions'

/** The paid route: read what is asked, quote, admit the payment, claim it durably, relay. */
export function chatRoute(server: FastifyInstance, context: Context): void {
  let running = 0
  context.metrics.gauge('running_requests', 'Requests being relayed.', () => running)
  server.post(PATH, async (request, reply) => {
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
      await handle(context, request, reply)
    } finally {
      running -= 1
    }
    return reply
  })
}

async function handle(context: Context, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const arrivedAt = performance.now()
  const body = request.body instanceof Uint8Array ? request.body : new Uint8Array(0)
  const read = readIntent(body, (name) => context.models.get(name)?.contextLength)
  if ('problem' in read) {
    const { problem } = read
    context.metrics.count('refused_total', problem.code)
    const status = problem.code === 'model_not_found' ? 404 : 400
    throw new RefusedError({ ...problem, status, type: 'invalid_request_error' })
  }
  const model = context.models.get(read.intent.model)
  if (model === undefined) throw new Error('unreachable: readIntent knows only listed models')
  const maximum = quoteMaximum(await context.priceOf(model.modelId), body.length, read.intent.maxOutput)
  const node = context.nodes.pick(model.name)
  if (node === undefined) {
    context.metrics.count('refused_total', 'no_node')
    throw new RefusedError({
      status: 503,
      message: `No healthy inference node serves ${model.name} right now. The same payment may be sent again.`,
      type: 'server_error',
      code: 'no_node',
      headers: { 'retry-after': '1' },
    })
  }
  const url = `${context.network.gatewayUrl}${PATH}`
  const header = request.headers['payment-signature']
  const { payment, nonceUnused } = await admit(
    context,
    Array.isArray(header) ? header[0] : header,
    maximum,
    url,
  )
  const { requestId } = payment
  const expected = {
    requestId,
    payer: payment.payer,
    committer: context.committer,
    modelId: model.modelId,
    requestHash: requestHash({
      method: request.method,
      path: request.raw.url ?? PATH,
      headers: listedHeaders(headerPairs(request.raw.rawHeaders)),
      body,
    }),
    authorised: payment.amount,
    node: node.operator,
  }
  let claimed = false
  try {
    claimed = await context.claim({
      requestId,
      payer: payment.payer,
      scheme: payment.schemeId,
      authorised: payment.amount,
      expiresAt: payment.expiresAt,
      collect: encodeCollect(payment),
      modelId: model.modelId,
      nodeUrl: node.url,
      requestHash: expected.requestHash,
    })
  } finally {
    if (!claimed) {
      context.inFlight.delete(requestId)
      context.ledger.release(requestId)
    }
  }
  if (!claimed) throw await paymentUsed(context, requestId)
  context.metrics.count('requests_total')
  if (reply.raw.destroyed) {
    // Gone before anything was sent: nothing to pay for.
    await endRequest(context.database, requestId, 'released')
    context.ledger.release(requestId)
    context.inFlight.delete(requestId)
    return
  }
  reply.hijack()
  await relay(context, request.raw, reply.raw, {
    node,
    expected,
    scheme: payment.schemeId,
    nonceUnused,
    body,
    maximum,
    arrivedAt,
  })
}
