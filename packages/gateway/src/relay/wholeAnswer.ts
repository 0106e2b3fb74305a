import { RECEIPT_HEADER } from '@assay/protocol'
import type { Answer } from '../http/ask.ts'
import { keep } from '../idempotency/keep.ts'
import { declines } from './askNode.ts'
import { receiptProblem } from './checkReceipt.ts'
import {
  answerHeaders,
  decodeReceipt,
  type Exchange,
  endExchange,
  makeDurable,
  NodeFailure,
  readAnswer,
  single,
  writeWhole,
} from './exchange.ts'

/**
 * An answer in one piece: held until the payment is known to be good and its receipt is durable.
 * @throws NodeFailure; whatever `good` throws
 */
export async function wholeAnswer(
  exchange: Exchange,
  upstream: Answer,
  contentType: string,
  good: Promise<void>,
): Promise<void> {
  const { context, expected, request } = exchange
  const bytes = await readAnswer(upstream, context.limits.maxAnswerBytes)
  const receiptHeader = single(upstream.headers[RECEIPT_HEADER])
  if (receiptHeader === undefined) {
    if (upstream.statusCode < 400) throw new NodeFailure('bad_receipt', 'The answer came without a receipt.')
    await good
    await endExchange(exchange, declines(upstream.statusCode))
    context.metrics.count('node_failures_total', String(upstream.statusCode))
    return writeWhole(exchange, upstream, bytes)
  }
  const answer = { status: upstream.statusCode, contentType, body: bytes }
  const signed = decodeReceipt(receiptHeader)
  const problem = await receiptProblem(signed, expected, context, answer)
  if (problem !== undefined) throw new NodeFailure('bad_receipt', `The receipt's ${problem} does not hold.`)
  await good
  await keep(exchange, signed.receipt, upstream.statusCode, answerHeaders(exchange, upstream), bytes)
  await makeDurable(exchange, signed, answer)
  context.metrics.count('answers_total', 'whole')
  const settlement = await context.statements?.headersOf(expected.requestId, request.headers)
  writeWhole(exchange, upstream, bytes, settlement)
}
