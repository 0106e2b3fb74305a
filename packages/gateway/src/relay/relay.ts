import type { IncomingMessage, ServerResponse } from 'node:http'
import { AssayError, errorBody, errorEvent, OHTTP_RESPONSE_TYPE } from '@assay/protocol'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { type DialectError, RefusedError } from '../http/dialectError.ts'
import { unavailable } from '../http/unavailable.ts'
import { messageOf } from '../log.ts'
import { askNode, codeOf, enter, leave, neverSent, noteFailure, saysNothing } from './askNode.ts'
import { ClientGoneError } from './clientWriter.ts'
import { OutOfTimeError, startClock } from './clock.ts'
import {
  type Exchange,
  endExchange,
  NodeFailure,
  ourHeaders,
  type Relayed,
  requireHeld,
  single,
} from './exchange.ts'
import { sealedAnswer } from './sealedAnswer.ts'
import { streamAnswer } from './streamAnswer.ts'
import { wholeAnswer } from './wholeAnswer.ts'

/**
 * Sends a request to its node and the answer to the client, byte for byte. Takes over the response: when the
 * promise resolves it is ended, and the request is finished, released, failed, or left to recovery.
 */
export async function relay(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
  relayed: Relayed,
): Promise<void> {
  const { node, mode, valueAtRisk } = relayed.route
  const exchange: Exchange = {
    ...relayed,
    ...{ context, request, response, node, abort: new AbortController(), attempt: 0, seen: false },
    expected: { ...relayed.expected, node: node.operator, mode, valueAtRisk },
  }
  const { requestId } = relayed.expected
  // A request that ends before it is looked at must not leave a rejection unhandled.
  relayed.refusal.catch(() => {})
  // A node that works for nothing is stopped at once.
  requireHeld(exchange).catch((error) => exchange.abort.abort(error))
  const onClose = (): void => {
    if (!response.writableFinished) exchange.abort.abort(new ClientGoneError('The client disconnected.'))
  }
  response.once('close', onClose)
  const stopClock = startClock(exchange)
  enter(exchange, node)
  try {
    await exchangeAnswer(exchange)
  } catch (error) {
    await onFailure(exchange, error)
  } finally {
    stopClock()
    leave(exchange)
    response.off('close', onClose)
    context.inFlight.delete(requestId)
    if (!response.writableEnded) response.end()
  }
}

/**
 * Nothing here waits for a server's disk to have what holds the call: the death of this gateway leaves it where it is, and
 * whatever ends the exchange (a receipt, or the end without one) is durable only together with it. A crash of PostgreSQL in
 * the moment before leaves, at the most, the beginning of a stream that nobody pays for, and a node that answers 409 if it
 * is asked again.
 */
async function exchangeAnswer(exchange: Exchange): Promise<void> {
  const upstream = await askNode(exchange)
  const good = requireGood(exchange)
  // An exchange that ends before it is looked at must not leave a rejection unhandled.
  good.catch(() => {})
  const contentType = single(upstream.headers['content-type']) ?? ''
  if (upstream.statusCode === 200 && /^text\/event-stream\b/i.test(contentType)) {
    const mayOpen = exchange.context.openings.take(exchange.expected.payer)
    if (!mayOpen) await good
    await streamAnswer(exchange, upstream, contentType, good)
  } else if (Object.values(OHTTP_RESPONSE_TYPE).includes(contentType)) {
    await good
    await sealedAnswer(exchange, upstream, contentType)
  } else await wholeAnswer(exchange, upstream, contentType, good)
  if (upstream.statusCode >= 500) noteFailure(exchange)
  else if (saysNothing(upstream.statusCode)) exchange.node.breaker.forget()
  else exchange.node.breaker.succeed()
}

/** @throws as `requireHeld`; RefusedError where the chain, or the database, has something against what pays */
async function requireGood(exchange: Exchange): Promise<void> {
  await requireHeld(exchange)
  const found = await exchange.refusal.catch((error) => unasked(exchange, error))
  if (found !== undefined) throw new RefusedError(found)
}

/** The payment was not looked at: nobody can say whether it is good, so there is no answer for it. */
function unasked({ context, expected, grant }: Exchange, error: unknown): DialectError {
  context.log('payment_unchecked', { requestId: expected.requestId, why: messageOf(error) })
  const away = unavailable(error)
  // A call under a grant has each time a place of its own, so the same may be sent again.
  if (away !== undefined && grant !== undefined) return away
  const what = away?.message.split('.')[0] ?? 'The gateway failed on this request'
  const message = `${what}. Nothing is charged; send the request again with a new payment.`
  if (away !== undefined) return { ...away, message, headers: undefined }
  return { status: 500, message, type: 'server_error', code: 'internal_error' }
}

async function onFailure(exchange: Exchange, error: unknown): Promise<void> {
  const { context, response, node, expected, abort } = exchange
  const isLate = abort.signal.reason instanceof OutOfTimeError
  const clientGone = error instanceof ClientGoneError || abort.signal.reason instanceof ClientGoneError
  // Ends the upstream exchange; the node then signs for what it delivered.
  abort.abort()
  // Whoever left, and whatever broke: what is another's request is not ended here.
  const unheld = await whyNotHeld(exchange)
  if (unheld !== undefined) return refuse(exchange, unheld)
  if (clientGone || isLate) {
    // The request stays open: the node's receipt for the cancelled answer is fetched and settled.
    context.log(isLate ? 'out_of_time' : 'client_gone', { requestId: expected.requestId })
    if (isLate) answerError(exchange, outOfTime(expected.requestId))
    else response.destroy()
    node.breaker.forget()
    context.inFlight.delete(expected.requestId)
    return context.recover(expected.requestId)
  }
  if (error instanceof RefusedError) {
    await endExchange(exchange, false)
    return refuse(exchange, error.dialect)
  }
  const code = error instanceof NodeFailure ? error.code : codeOf(error)
  const unsent = neverSent(error) && !exchange.seen
  if (blamesNode(error)) noteFailure(exchange)
  else node.breaker.forget()
  context.log('relay_failed', {
    requestId: expected.requestId,
    node: node.operator,
    code,
    why: messageOf(error),
  })
  context.metrics.count(code === 'bad_receipt' ? 'bad_receipts_total' : 'node_failures_total', code)
  if (neverSent(error)) node.healthy = false
  else if (!(error instanceof NodeFailure)) void context.nodes.refresh(node)
  await endExchange(exchange, unsent)
  answerError(exchange, {
    status: unsent ? 503 : 502,
    message: unsent
      ? 'No inference node could be reached. The same payment may be sent again.'
      : `This request has no answer that counts: ${error instanceof NodeFailure ? error.message : 'the connection to the node broke.'} ${chargeOf(error, expected.requestId)}`,
    type: 'server_error',
    code: error instanceof NodeFailure ? error.code : unsent ? 'node_unreachable' : 'node_failed',
    headers: unsent
      ? { 'retry-after': '1' }
      : mayBeCharged(error)
        ? { 'x-should-retry': 'false' }
        : undefined,
  })
}

/** What a client is told whose call does not have what pays for it; undefined where it has. */
async function whyNotHeld(exchange: Exchange): Promise<DialectError | undefined> {
  const { context, held, name } = exchange
  let refusal: DialectError | undefined
  try {
    refusal = await held
    if (refusal === undefined) return undefined
  } catch (error) {
    // Whether it was written is not known, and the node may have signed for it.
    await endExchange(exchange, false)
    refusal = unasked(exchange, error)
  }
  if (name !== undefined) await context.names.free(name)
  return refusal
}

/** For nothing that its node did. */
function refuse(exchange: Exchange, refusal: DialectError): void {
  const { context, expected, node } = exchange
  node.breaker.forget()
  const { status, code } = refusal
  context.log('refused', { requestId: expected.requestId, status, code })
  answerError(exchange, refusal)
}

function outOfTime(requestId: Hex): DialectError {
  return {
    status: 504,
    message: `This answer took longer than it can be paid for. What was sent of it is charged: GET /v1/receipts/${requestId}`,
    type: 'server_error',
    code: 'out_of_time',
    headers: { 'x-should-retry': 'false' },
  }
}

function chargeOf(error: unknown, requestId: Hex): string {
  if (!mayBeCharged(error)) return 'Nothing is charged.'
  return `Whether it is charged, the database will say when it is back: GET /v1/receipts/${requestId}`
}

/** Then asking again, as the vendors' clients do by themselves, could be charged beside it. */
function mayBeCharged(error: unknown): boolean {
  return error instanceof NodeFailure && error.charge === 'unknown'
}

/** Neither our database nor the chain is the node's fault. */
function blamesNode(error: unknown): boolean {
  if (error instanceof NodeFailure) return error.code !== 'receipt_not_durable'
  return !(error instanceof AssayError)
}

/** As a status and a body where the head is still to be sent, else as the dialect's error event. */
function answerError(exchange: Exchange, error: DialectError): void {
  const { request, response } = exchange
  const path = request.url ?? '/'
  if (response.destroyed) return
  if (response.headersSent && String(response.getHeader('content-type')).startsWith('message/')) {
    // Nothing in clear belongs into an encrypted answer: it breaks off, which its reader knows for an error.
    response.destroy()
    return
  }
  if (response.headersSent) {
    // The blank line closes whatever event the break cut in two.
    response.end(`\n\n${errorEvent(error, path)}`)
    return
  }
  const body = errorBody(error, path)
  response.writeHead(error.status, {
    ...ourHeaders(exchange),
    ...error.headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}
