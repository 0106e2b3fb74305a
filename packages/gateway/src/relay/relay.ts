import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  concatBytes,
  decodeReceiptHeader,
  errorBody,
  errorEvent,
  type GrantCall,
  OHTTP_RESPONSE_TYPE,
  RECEIPT_HEADER,
  REFUSED_HEADER,
  REQUEST_ID_HEADER,
  type SignedReceipt,
  stripSseComments,
} from '@assay/protocol'
import { endRequest } from '@assay/store'
import type { Dispatcher } from 'undici'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { CORS_HEADERS } from '../http/cors.ts'
import type { DialectError } from '../http/dialectError.ts'
import { messageOf } from '../log.ts'
import { type InferenceNode, readBounded } from '../nodes/nodePool.ts'
import { type Expected, receiptProblem } from './checkReceipt.ts'
import { ClientGoneError, writeToClient } from './clientWriter.ts'
import { fetchReceipt } from './fetchReceipt.ts'
import { ReceiptGate } from './receiptGate.ts'
import { SealedGate } from './sealedGate.ts'
import { requestHeaders, responseHeaders } from './upstreamHeaders.ts'

export type Relayed = {
  node: InferenceNode
  expected: Expected
  /** Of the payment. */
  scheme: number
  /** Place under the grant that pays, if one does. */
  grant?: GrantCall | undefined
  /** What the chain has against the payment, if anything; asked while the node is already at work. */
  refusal: Promise<DialectError | undefined>
  /** Headers of ours that the node needs beside the client's. */
  headers?: Readonly<Record<string, string>> | undefined
  body: Uint8Array
  /** Of the request's arrival, `performance.now()`. */
  arrivedAt: number
}

type Exchange = Relayed & {
  context: Context
  request: IncomingMessage
  response: ServerResponse
  abort: AbortController
}

/** Codes of errors raised before one byte of the request reached the node. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

/**
 * Sends a claimed request to its node and the answer to the client, byte for byte. Takes over the response: when the
 * promise resolves it is ended, and the request is finished, released, failed, or left to recovery.
 */
export async function relay(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
  relayed: Relayed,
): Promise<void> {
  const exchange: Exchange = { ...relayed, context, request, response, abort: new AbortController() }
  const { requestId } = relayed.expected
  // A request that ends before it is looked at must not leave a rejection unhandled.
  relayed.refusal.catch(() => {})
  const onClose = (): void => {
    if (!response.writableFinished) exchange.abort.abort(new ClientGoneError('The client disconnected.'))
  }
  response.once('close', onClose)
  relayed.node.running += 1
  try {
    await exchangeAnswer(exchange)
  } catch (error) {
    await onFailure(exchange, error)
  } finally {
    relayed.node.running -= 1
    response.off('close', onClose)
    context.inFlight.delete(requestId)
    if (!response.writableEnded) response.end()
  }
}

async function exchangeAnswer(exchange: Exchange): Promise<void> {
  const { context, node, request, body, abort, expected } = exchange
  const upstream = await node.pool.request({
    method: 'POST',
    path: request.url ?? '/',
    headers: requestHeaders(request.rawHeaders, context.committer, exchange.headers),
    body,
    signal: abort.signal,
  })
  const refusal = await exchange.refusal
  if (refusal !== undefined) {
    abort.abort()
    upstream.body.on('error', () => {})
    await end(exchange, 'failed')
    return answerError(exchange, refusal)
  }
  const contentType = single(upstream.headers['content-type']) ?? ''
  if (upstream.statusCode === 200 && /^text\/event-stream\b/i.test(contentType)) {
    return await streamAnswer(exchange, upstream, contentType)
  }
  if (Object.values(OHTTP_RESPONSE_TYPE).includes(contentType)) {
    return await sealedAnswer(exchange, upstream, contentType)
  }
  const bytes = await readAnswer(upstream, context.limits.maxAnswerBytes)
  const receiptHeader = single(upstream.headers[RECEIPT_HEADER])
  if (receiptHeader === undefined) {
    if (upstream.statusCode < 400) throw new NodeFailure('bad_receipt', 'The answer came without a receipt.')
    // A conflict means that the node signed for this request before, in a life that we do not remember: recovery asks
    // for that receipt. Any other refusal came before work was done, so the payment may be used again.
    if (upstream.statusCode === 409) context.recoverSoon()
    else await end(exchange, 'released')
    context.metrics.count('node_failures_total', String(upstream.statusCode))
    return writeWhole(exchange, upstream, bytes)
  }
  const answer = { status: upstream.statusCode, contentType, body: bytes }
  const signed = decode(receiptHeader)
  const problem = await receiptProblem(signed, expected, context, answer)
  if (problem !== undefined) throw new NodeFailure('bad_receipt', `The receipt's ${problem} does not hold.`)
  await makeDurable(exchange, signed)
  context.metrics.count('answers_total', 'whole')
  writeWhole(exchange, upstream, bytes)
}

async function readAnswer(upstream: Dispatcher.ResponseData, maxBytes: number): Promise<Buffer> {
  try {
    return await readBounded(upstream.body, maxBytes)
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(maxBytes)
    throw error
  }
}

function tooLarge(maxBytes: number): NodeFailure {
  return new NodeFailure('answer_too_large', `The answer is longer than ${maxBytes} bytes.`)
}

function writeWhole(exchange: Exchange, upstream: Dispatcher.ResponseData, bytes: Uint8Array): void {
  const { response, context, expected } = exchange
  response.writeHead(upstream.statusCode, {
    ...responseHeaders(upstream.headers),
    ...CORS_HEADERS,
    [REQUEST_ID_HEADER]: expected.requestId,
    'content-length': bytes.length,
  })
  response.end(bytes)
  context.metrics.observeFirstByte((performance.now() - exchange.arrivedAt) / 1000)
}

async function streamAnswer(
  exchange: Exchange,
  upstream: Dispatcher.ResponseData,
  contentType: string,
): Promise<void> {
  const { response, context, expected } = exchange
  const { maxAnswerBytes, clientStallMs } = context.limits
  response.writeHead(upstream.statusCode, {
    ...responseHeaders(upstream.headers),
    ...CORS_HEADERS,
    [REQUEST_ID_HEADER]: expected.requestId,
    'cache-control': 'no-cache, no-transform',
  })
  response.flushHeaders()
  const gate = new ReceiptGate()
  // A copy for the receipt's hash, which covers the whole stream; the bytes themselves are long with the client.
  const passed: Uint8Array[] = []
  let length = 0
  for await (const chunk of upstream.body as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > maxAnswerBytes) throw tooLarge(maxAnswerBytes)
    const open = gate.push(chunk)
    if (open.length > 0) {
      if (passed.length === 0)
        context.metrics.observeFirstByte((performance.now() - exchange.arrivedAt) / 1000)
      passed.push(open)
      await writeToClient(response, open, clientStallMs)
    }
    const end = gate.end()
    if (end === undefined) continue
    const signed = decode(end.receipt)
    const answer = {
      status: upstream.statusCode,
      contentType,
      body: stripSseComments(concatBytes([...passed, end.terminal])),
    }
    const problem = await receiptProblem(signed, expected, context, answer)
    if (problem !== undefined) throw new NodeFailure('bad_receipt', `The receipt's ${problem} does not hold.`)
    await makeDurable(exchange, signed)
    context.metrics.count('answers_total', 'stream')
    await writeToClient(response, end.held, clientStallMs)
    response.end()
    return
  }
  throw new NodeFailure('node_failed', 'The node ended the stream without a receipt.')
}

/**
 * An encrypted answer: its chunks pass as they come, and its last one waits until the node's receipt, which names the
 * request that the payer signed for, is durable. What the receipt says of the answer only the client can check.
 */
async function sealedAnswer(
  exchange: Exchange,
  upstream: Dispatcher.ResponseData,
  contentType: string,
): Promise<void> {
  const { response, context, expected, node } = exchange
  const { maxAnswerBytes, clientStallMs } = context.limits
  const refused = single(upstream.headers[REFUSED_HEADER])
  if (refused !== undefined) {
    const bytes = await readAnswer(upstream, maxAnswerBytes)
    if (refused === '409') context.recoverSoon()
    else await end(exchange, 'released')
    context.metrics.count('node_failures_total', 'refused')
    return writeWhole(exchange, upstream, bytes)
  }
  const gate = contentType === OHTTP_RESPONSE_TYPE.chunked ? new SealedGate() : undefined
  const whole: Uint8Array[] = []
  let length = 0
  response.writeHead(200, {
    ...responseHeaders(upstream.headers),
    ...CORS_HEADERS,
    [REQUEST_ID_HEADER]: expected.requestId,
  })
  response.flushHeaders()
  for await (const chunk of upstream.body as AsyncIterable<Uint8Array>) {
    if (length === 0) context.metrics.observeFirstByte((performance.now() - exchange.arrivedAt) / 1000)
    length += chunk.length
    if (length > maxAnswerBytes) throw tooLarge(maxAnswerBytes)
    if (gate === undefined) whole.push(chunk)
    else {
      const open = gate.push(chunk)
      if (open.length > 0) await writeToClient(response, open, clientStallMs)
    }
  }
  const held = gate === undefined ? concatBytes(whole) : gate.end()
  if (held === undefined) throw new NodeFailure('node_failed', 'The node cut the encrypted answer off.')
  const signed = await fetchReceipt(node.pool, expected.requestId)
  if (signed === undefined) throw new NodeFailure('bad_receipt', 'The node has no receipt of its answer.')
  const problem = await receiptProblem(signed, expected, context)
  if (problem !== undefined) throw new NodeFailure('bad_receipt', `The receipt's ${problem} does not hold.`)
  await makeDurable(exchange, signed)
  context.metrics.count('answers_total', 'sealed')
  await writeToClient(response, held, clientStallMs)
  response.end()
}

/** The answer cannot be released; what the client is told, and under which code. */
class NodeFailure extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** @throws NodeFailure where the database does not take it: an answer is never released on a receipt that may be lost */
async function makeDurable(exchange: Exchange, signed: SignedReceipt): Promise<void> {
  try {
    await exchange.context.record({ ...signed, grant: exchange.grant }, exchange.scheme)
  } catch (error) {
    exchange.context.log('record_failed', { requestId: exchange.expected.requestId, why: messageOf(error) })
    throw new NodeFailure('receipt_not_durable', 'The gateway could not store its receipt.')
  }
}

function decode(text: string): SignedReceipt {
  try {
    return decodeReceiptHeader(text.trim())
  } catch {
    throw new NodeFailure('bad_receipt', 'The receipt cannot be read.')
  }
}

async function onFailure(exchange: Exchange, error: unknown): Promise<void> {
  const { context, response, node, expected, abort } = exchange
  const clientGone = error instanceof ClientGoneError || abort.signal.reason instanceof ClientGoneError
  // Ends the upstream exchange; the node then signs for what it delivered.
  abort.abort()
  if (clientGone) {
    // The request stays open: the node's receipt for the cancelled answer is fetched and settled.
    context.log('client_gone', { requestId: expected.requestId })
    response.destroy()
    context.inFlight.delete(expected.requestId)
    return context.recoverSoon()
  }
  const code = error instanceof NodeFailure ? error.code : codeOf(error)
  const neverSent = NEVER_SENT.has(codeOf(error))
  context.log('relay_failed', {
    requestId: expected.requestId,
    node: node.operator,
    code,
    why: messageOf(error),
  })
  context.metrics.count(code === 'bad_receipt' ? 'bad_receipts_total' : 'node_failures_total', code)
  if (neverSent) node.healthy = false
  else if (!(error instanceof NodeFailure)) void context.nodes.refresh(node)
  await end(exchange, neverSent ? 'released' : 'failed').catch((failure) =>
    context.log('end_failed', { requestId: expected.requestId, why: messageOf(failure) }),
  )
  answerError(exchange, {
    status: neverSent ? 503 : 502,
    message: neverSent
      ? 'No inference node could be reached. The same payment may be sent again.'
      : `This request has no answer that counts: ${error instanceof NodeFailure ? error.message : 'the connection to the node broke.'} Nothing is charged.`,
    type: 'server_error',
    code: error instanceof NodeFailure ? error.code : neverSent ? 'node_unreachable' : 'node_failed',
    headers: neverSent ? { 'retry-after': '1' } : undefined,
  })
}

function codeOf(error: unknown): string {
  return (error as { code?: unknown })?.code?.toString() ?? 'unknown'
}

async function end(exchange: Exchange, state: 'failed' | 'released'): Promise<void> {
  const { context, expected } = exchange
  await endRequest(context.database, expected.requestId as Hex, state)
  context.ledger.release(expected.requestId)
}

/** As a status and a body where the head is still to be sent, else as the dialect's error event. */
function answerError(exchange: Exchange, error: DialectError): void {
  const { request, response, expected } = exchange
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
    ...CORS_HEADERS,
    ...error.headers,
    [REQUEST_ID_HEADER]: expected.requestId,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
