import { endSpan, startSpan, traceparentOf } from '@assay/chain/tracing'
import { RECEIPT_HEADER } from '@assay/protocol'
import { rerouteRequest } from '@assay/store'
import { type Answer, ask } from '../http/ask.ts'
import { hangs, type InferenceNode } from '../nodes/inferenceNode.ts'
import { readBounded } from '../nodes/readBounded.ts'
import { chooseNode } from '../routing/chooseNode.ts'
import { type Exchange, requireHeld } from './exchange.ts'
import { requestHeaders } from './upstreamHeaders.ts'

/** Nodes that one request is offered to at most. */
const MAX_ATTEMPTS = 3
/** Codes of errors raised before one byte of the request reached the node. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])
/** Silence: the client has waited long enough, and the node may still be at work. */
const TIMED_OUT = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

/** How often it is looked whether a node hangs that has a request, milliseconds. */
const LOOK_EVERY_MS = 250

/** The node has the request and says nothing any more, not even how it is. */
class HangingError extends Error {
  readonly code = 'node_hangs'
}

export function codeOf(error: unknown): string {
  return (error as { code?: unknown })?.code?.toString() ?? 'unknown'
}

/** Whether the node cannot have seen the request. */
export function neverSent(error: unknown): boolean {
  return NEVER_SENT.has(codeOf(error))
}

/**
 * Whether an answer with this status and without a receipt says that the node did nothing. A conflict says that it has the
 * request, from a life that we do not remember: whoever asked then heard that nothing is charged, or nothing. Errors of a
 * server may be those of a proxy in front of a node that is at work.
 */
export function declines(status: number): boolean {
  return status === 503 || (status >= 400 && status < 500 && status !== 409)
}

/**
 * Whether a status says nothing of how the node is: its queue is full, or it has the request already. Where this was its
 * trial, the next request is to be one.
 */
export function saysNothing(status: number): boolean {
  return status === 429 || status === 409
}

/**
 * The head of an answer, from the node that was chosen or, as long as nothing came of that one, from another that
 * qualifies. The first may have signed for it all the same; of two receipts one is paid: escrow pays one a payment, and of
 * a grant's calls only this gateway's batches pay. Once a head is here the request stays where it is: what breaks later is
 * an error, never another answer.
 * @throws whatever the last node's connection ended with
 */
export async function askNode(exchange: Exchange): Promise<Answer> {
  const { context, route, expected, abort } = exchange
  const tried = new Set<InferenceNode>()
  for (;;) {
    tried.add(exchange.node)
    const left = route.candidates.filter((node) => !tried.has(node) && node.healthy)
    const next = tried.size < MAX_ATTEMPTS ? chooseNode(left, performance.now()) : undefined
    let why: string
    try {
      const upstream = await (next === undefined ? send(exchange) : sendUnlessItHangs(exchange))
      const { statusCode } = upstream
      if (next === undefined || !hasFailed(upstream) || abort.signal.aborted) return upstream
      await readBounded(upstream.body, context.limits.maxAnswerBytes).catch(() => undefined)
      why = String(statusCode)
      if (saysNothing(statusCode)) exchange.node.breaker.forget()
      else noteFailure(exchange)
      if (!declines(statusCode)) exchange.seen = true
    } catch (error) {
      if (next === undefined || TIMED_OUT.has(codeOf(error)) || abort.signal.aborted) throw error
      why = codeOf(error)
      noteFailure(exchange)
      if (neverSent(error)) exchange.node.healthy = false
      else {
        exchange.seen = true
        void context.nodes.refresh(exchange.node)
      }
    }
    context.metrics.count('failovers_total', why)
    context.log('failover', {
      requestId: expected.requestId,
      from: exchange.node.operator,
      to: next.operator,
      why,
    })
    // Where its receipt will be found must be known before it can exist.
    const { requestId } = expected
    await requireHeld(exchange)
    await rerouteRequest(context.database, { requestId, instance: context.instance, nodeUrl: next.url })
    leave(exchange)
    enter(exchange, next)
  }
}

/** Counts the request at the node that it goes to. */
export function enter(exchange: Exchange, node: InferenceNode): void {
  exchange.node = node
  exchange.expected = { ...exchange.expected, node: node.operator }
  exchange.attempt += 1
  exchange.context.servedBy.set(exchange.expected.requestId, node)
  node.running += 1
  node.atRisk += exchange.route.exposure
  node.breaker.begin(performance.now())
}

/** The node has it no longer. */
export function leave({ context, expected, node, route }: Exchange): void {
  context.servedBy.delete(expected.requestId)
  node.running -= 1
  node.atRisk -= route.exposure
}

/** Counts against the node; opens its circuit where that was one too many. */
export function noteFailure({ context, node }: Exchange): void {
  if (!node.breaker.fail(performance.now())) return
  context.metrics.count('circuits_opened_total')
  context.log('circuit_opened', { node: node.operator, url: node.url })
}

/**
 * Gives the request up where its node hangs: the head of a whole answer may take ten minutes, and whoever waits for one that
 * never comes need not.
 */
async function sendUnlessItHangs(exchange: Exchange): Promise<Answer> {
  const { node, abort } = exchange
  const given = new AbortController()
  const timer = setInterval(() => {
    if (hangs(node)) given.abort(new HangingError('The node does not even say how it is any more.'))
  }, LOOK_EVERY_MS)
  const onAbort = (): void => given.abort(abort.signal.reason)
  if (abort.signal.aborted) onAbort()
  else abort.signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await send(exchange, given.signal)
  } finally {
    clearInterval(timer)
  }
}

async function send(exchange: Exchange, signal = exchange.abort.signal): Promise<Answer> {
  const { context, node, request, body, headers, attempt, expected } = exchange
  const span = startSpan('ask node', {
    kind: 'client',
    parent: request.headers.traceparent,
    attributes: {
      'assay.request_id': expected.requestId,
      'assay.node': node.operator,
      'assay.attempt': attempt,
      'url.full': node.url,
    },
  })
  const traced = span === undefined ? {} : { traceparent: traceparentOf(span) }
  const sentAt = performance.now()
  let upstream: Answer
  try {
    upstream = await ask(node.pool, {
      method: 'POST',
      path: request.url ?? '/',
      headers: requestHeaders(request.rawHeaders, context.committer, { ...headers, ...traced }),
      body,
      signal,
    })
  } catch (error) {
    endSpan(span, error)
    throw error
  }
  span?.setAttribute('http.response.status_code', upstream.statusCode)
  endSpan(span)
  const now = performance.now()
  if (upstream.statusCode === 200) node.latency.observe(now - sentAt, now)
  return upstream
}

/**
 * Too busy, broken, or asked already and not by this exchange (a gateway that heard too late that the payment is not its own,
 * or a life that nobody remembers), and without a receipt.
 */
function hasFailed(upstream: Answer): boolean {
  const { statusCode, headers } = upstream
  return (saysNothing(statusCode) || statusCode >= 500) && headers[RECEIPT_HEADER] === undefined
}
