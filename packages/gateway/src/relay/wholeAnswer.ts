import { RECEIPT_HEADER } from '@assay/protocol'
import type { Dispatcher } from 'undici'
import { keep } from '../idempotency/keep.ts'
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

/** An answer in one piece: held until its receipt is durable. @throws NodeFailure */
export async function wholeAnswer(
  exchange: Exchange,
  upstream: Dispatcher.ResponseData,
  contentType: string,
): Promise<void> {
  const { context, expected, request } = exchange
  const bytes = await readAnswer(upstream, context.limits.maxAnswerBytes)
  const receiptHeader = single(upstream.headers[RECEIPT_HEADER])
  if (receiptHeader === undefined) {
    if (upstream.statusCode < 400) throw new NodeFailure('bad_receipt', 'The answer came without a receipt.')
    // A conflict means that the node signed for this request before, in a life that we do not remember: recovery asks
    // for that receipt. Any other refusal came before work was done, so the payment may be used again.
    if (upstream.statusCode === 409) context.recover(expected.requestId)
    else await endExchange(exchange, 'released')
    context.metrics.count('node_failures_total', String(upstream.statusCode))
    return writeWhole(exchange, upstream, bytes)
  }
  const answer = { status: upstream.statusCode, contentType, body: bytes }
  const signed = decodeReceipt(receiptHeader)
  const problem = await receiptProblem(signed, expected, context, answer)
  if (problem !== undefined) throw new NodeFailure('bad_receipt', `The receipt's ${problem} does not hold.`)
  await keep(exchange, upstream.statusCode, answerHeaders(exchange, upstream), bytes)
  await makeDurable(exchange, signed, answer)
  context.metrics.count('answers_total', 'whole')
  const settlement = await context.statements?.headersOf(expected.requestId, request.headers)
  writeWhole(exchange, upstream, bytes, settlement)
}
