import { concatBytes, stripSseComments } from '@assay/protocol'
import type { Answer } from '../http/ask.ts'
import { keep } from '../idempotency/keep.ts'
import { OPENING_BYTES } from '../payment/openings.ts'
import { receiptProblem } from './checkReceipt.ts'
import { sendWritten, writeStreamHead, writeToClient } from './clientWriter.ts'
import {
  answerHeaders,
  decodeReceipt,
  type Exchange,
  makeDurable,
  NodeFailure,
  tooLarge,
} from './exchange.ts'
import { ReceiptGate } from './receiptGate.ts'

/**
 * An answer in pieces: they pass as they come, all but its opening once the payment is known to be good, and its end
 * waits until its receipt is durable.
 * @throws NodeFailure; whatever `good` throws
 */
export async function streamAnswer(
  exchange: Exchange,
  upstream: Answer,
  contentType: string,
  good: Promise<void>,
): Promise<void> {
  const { response, context, expected } = exchange
  const { maxAnswerBytes, clientStallMs } = context.limits
  const headers = { ...answerHeaders(exchange, upstream), 'cache-control': 'no-cache, no-transform' }
  writeStreamHead(response, upstream.statusCode, headers)
  const gate = new ReceiptGate()
  // A copy for the receipt's hash, which covers the whole stream; the bytes themselves are long with the client.
  const passed: Uint8Array[] = []
  let length = 0
  let opening = OPENING_BYTES
  for await (const chunk of upstream.body) {
    length += chunk.length
    if (length > maxAnswerBytes) throw tooLarge(maxAnswerBytes)
    const open = gate.push(chunk)
    if (open.length > 0) {
      if (passed.length === 0)
        context.metrics.observeFirstByte((performance.now() - exchange.arrivedAt) / 1000)
      passed.push(open)
      if (open.length > opening) {
        await writeToClient(response, open.subarray(0, opening), clientStallMs)
        await good
        await writeToClient(response, open.subarray(opening), clientStallMs)
        opening = Number.POSITIVE_INFINITY
      } else {
        await writeToClient(response, open, clientStallMs)
        opening -= open.length
      }
    }
    const end = gate.end()
    if (end === undefined) continue
    sendWritten(response)
    const signed = decodeReceipt(end.receipt)
    const answer = {
      status: upstream.statusCode,
      contentType,
      body: stripSseComments(concatBytes([...passed, end.terminal])),
    }
    const problem = await receiptProblem(signed, expected, context, answer)
    if (problem !== undefined) throw new NodeFailure('bad_receipt', `The receipt's ${problem} does not hold.`)
    await good
    if (exchange.name !== undefined) {
      const body = concatBytes([...passed, end.held])
      await keep(exchange, signed.receipt, upstream.statusCode, headers, body)
    }
    await makeDurable(exchange, signed, answer)
    context.metrics.count('answers_total', 'stream')
    await writeToClient(response, end.held, clientStallMs)
    response.end()
    return
  }
  throw new NodeFailure('node_failed', 'The node ended the stream without a receipt.')
}
