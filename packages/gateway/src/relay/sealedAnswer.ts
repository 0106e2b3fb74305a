import { concatBytes, OHTTP_RESPONSE_TYPE, REFUSED_HEADER } from '@assay/protocol'
import type { Answer } from '../http/ask.ts'
import { declines } from './askNode.ts'
import { receiptProblem } from './checkReceipt.ts'
import { writeStreamHead, writeToClient } from './clientWriter.ts'
import {
  answerHeaders,
  type Exchange,
  endExchange,
  makeDurable,
  NodeFailure,
  readAnswer,
  single,
  tooLarge,
  writeWhole,
} from './exchange.ts'
import { fetchReceipt } from './fetchReceipt.ts'
import { SealedGate } from './sealedGate.ts'

/**
 * An encrypted answer: its chunks pass as they come, and its last one waits until the node's receipt, which names the
 * request that the payer signed for, is durable. What the receipt says of the answer only the client can check.
 * @throws NodeFailure
 */
export async function sealedAnswer(exchange: Exchange, upstream: Answer, contentType: string): Promise<void> {
  const { response, context, expected, node } = exchange
  const { maxAnswerBytes, clientStallMs } = context.limits
  const refused = single(upstream.headers[REFUSED_HEADER])
  if (refused !== undefined) {
    const bytes = await readAnswer(upstream, maxAnswerBytes)
    await endExchange(exchange, declines(Number(refused)))
    context.metrics.count('node_failures_total', 'refused')
    return writeWhole(exchange, upstream, bytes)
  }
  const gate = contentType === OHTTP_RESPONSE_TYPE.chunked ? new SealedGate() : undefined
  const whole: Uint8Array[] = []
  let length = 0
  writeStreamHead(response, 200, answerHeaders(exchange, upstream))
  for await (const chunk of upstream.body) {
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
