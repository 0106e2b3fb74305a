import type { IncomingMessage, ServerResponse } from 'node:http'
import { inSpan } from '@assay/chain/tracing'
import {
  clientRequestId,
  decodeReceiptHeader,
  type GrantCall,
  type HttpResponseBytes,
  REQUEST_ID_HEADER,
  type SignedReceipt,
} from '@assay/protocol'
import type { AnswerName } from '@assay/store'
import type { Context } from '../context.ts'
import type { Answer } from '../http/ask.ts'
import { CORS_HEADERS } from '../http/cors.ts'
import { type DialectError, RefusedError } from '../http/dialectError.ts'
import { unavailable } from '../http/unavailable.ts'
import { messageOf } from '../log.ts'
import type { InferenceNode } from '../nodes/inferenceNode.ts'
import { readBounded } from '../nodes/readBounded.ts'
import { describeRoute, ROUTE_HEADER, type Route } from '../routing/route.ts'
import type { Expected } from './checkReceipt.ts'
import { responseHeaders } from './upstreamHeaders.ts'

/** A request that is to be answered. */
export type Relayed = {
  route: Route
  /** What its receipt must say; `node` is whoever it is sent to, and how and for what it answers is the route's. */
  expected: Omit<Expected, 'node' | 'mode' | 'valueAtRisk'>
  /** Of the payment. */
  scheme: number
  /** Last second at which its answer can still be paid for, Unix. */
  payableUntil: bigint
  /** Place under the grant that pays, if one does. */
  grant?: GrantCall | undefined
  /**
   * Why the call does not have what pays for it to itself; undefined where it has. It may still be being written while the
   * node begins: of an answer nothing but a stream's opening goes out before. Where it has not, all that was set aside for it
   * is taken back already, and no request of this id is to be ended. It is rejected where nobody knows.
   */
  held: Promise<DialectError | undefined>
  /** What the chain has against the payment, if anything; asked while the node is already at work. */
  refusal: Promise<DialectError | undefined>
  /** Headers of ours that the node needs beside the client's. */
  headers?: Readonly<Record<string, string>> | undefined
  body: Uint8Array
  /** Under which its answer is kept, where its client named it. */
  name?: AnswerName | undefined
  /** Of the request's arrival, `performance.now()`. */
  arrivedAt: number
}

/** One request between its client and the node that has it now. */
export type Exchange = Omit<Relayed, 'expected'> & {
  context: Context
  request: IncomingMessage
  response: ServerResponse
  abort: AbortController
  expected: Expected
  node: InferenceNode
  /** Nodes that were asked, this one included. */
  attempt: number
  /** Whether one that was asked before `node` may have it. */
  seen: boolean
}

/** The answer cannot be released; what the client is told, and under which code. */
export class NodeFailure extends Error {
  readonly code: string
  /** `unknown` where the database may have its receipt, and did not say so. */
  readonly charge: 'nothing' | 'unknown'
  constructor(code: string, message: string, charge: 'nothing' | 'unknown' = 'nothing') {
    super(message)
    this.code = code
    this.charge = charge
  }
}

/** @throws RefusedError where the call does not have what pays for it; whatever writing that down ended with */
export async function requireHeld({ held }: Pick<Exchange, 'held'>): Promise<void> {
  const refusal = await held
  if (refusal !== undefined) throw new RefusedError(refusal)
}

export function tooLarge(maxBytes: number): NodeFailure {
  return new NodeFailure('answer_too_large', `The answer is longer than ${maxBytes} bytes.`)
}

/** @throws NodeFailure where the answer is too long */
export async function readAnswer(upstream: Answer, maxBytes: number): Promise<Buffer> {
  try {
    return await readBounded(upstream.body, maxBytes)
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(maxBytes)
    throw error
  }
}

/** @throws NodeFailure where it is none */
export function decodeReceipt(text: string): SignedReceipt {
  try {
    return decodeReceiptHeader(text.trim())
  } catch {
    throw new NodeFailure('bad_receipt', 'The receipt cannot be read.')
  }
}

/** @throws NodeFailure where the database does not take it: an answer is never released on a receipt that may be lost */
export async function makeDurable(
  exchange: Exchange,
  signed: SignedReceipt,
  answer?: HttpResponseBytes | undefined,
): Promise<void> {
  const { context, expected, request } = exchange
  try {
    if (answer !== undefined) await context.statements?.keep(expected.requestId, request.headers, answer)
    const span = {
      parent: request.headers.traceparent,
      attributes: { 'assay.request_id': expected.requestId },
    }
    await inSpan('record receipt', span, () =>
      context.record({ ...signed, grant: exchange.grant }, exchange.scheme, {
        unlessEnded: exchange.name !== undefined,
      }),
    )
  } catch (error) {
    context.log('record_failed', { requestId: expected.requestId, why: messageOf(error) })
    const charge = unavailable(error) === undefined ? 'nothing' : 'unknown'
    throw new NodeFailure('receipt_not_durable', 'The gateway could not store its receipt.', charge)
  }
}

/**
 * Ends a request that has no answer, without a charge. Its payment is free again only where no node can have the request
 * (docs/spec.md §14): whoever has it may have signed for it.
 * @param unseen whether the last node that was asked has it not
 */
export function endExchange({ context, expected, seen }: Exchange, unseen: boolean): Promise<void> {
  return context.end(expected.requestId, unseen && !seen ? 'released' : 'failed')
}

/**
 * Headers of ours on whatever goes to the client: which request this is, who answered it and why he. It is known to the
 * vendors' clients by the same id, for that can be verified.
 */
export function ourHeaders({ expected, route, node, attempt }: Exchange): Record<string, string> {
  return {
    ...CORS_HEADERS,
    [REQUEST_ID_HEADER]: expected.requestId,
    ...clientRequestId(expected.requestId),
    [ROUTE_HEADER]: describeRoute(route, node, attempt),
  }
}

/** The node's headers and ours. */
export function answerHeaders(exchange: Exchange, upstream: Answer): Record<string, string | string[]> {
  return { ...responseHeaders(upstream.headers), ...ourHeaders(exchange) }
}

/** Sends a whole answer of the node. */
export function writeWhole(
  exchange: Exchange,
  upstream: Answer,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): void {
  const { response, context } = exchange
  response.writeHead(upstream.statusCode, {
    ...answerHeaders(exchange, upstream),
    ...headers,
    'content-length': bytes.length,
  })
  response.end(bytes)
  context.metrics.observeFirstByte((performance.now() - exchange.arrivedAt) / 1000)
}

export function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
