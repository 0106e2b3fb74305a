import type { ServerResponse } from 'node:http'
import {
  concatBytes,
  encodeReceiptHeader,
  RECEIPT_COMMENT,
  RECEIPT_HEADER,
  REQUEST_ID_HEADER,
  responseHash,
  type SignedReceipt,
  STATUS,
} from '@assay/protocol'
import type { Hex } from 'viem'
import type { NodeChain } from '../chain/nodeChain.ts'
import {
  type AnswerHead,
  type FinishReason,
  STREAM_DONE,
  streamAnswer,
  streamError,
  wholeAnswer,
} from '../dialects/openaiAnswer.ts'
import { openaiErrorBody } from '../dialects/openaiError.ts'
import type { GenerateResult } from '../engines/engine.ts'
import type { ReceiptStore } from '../receiptStore.ts'
import type { Anchor, ReceiptParameters } from '../signReceipt.ts'
import type { Admission } from './admitChat.ts'

export const JSON_TYPE = 'application/json'
const STREAM_TYPE = 'text/event-stream'
/** A reader that has not taken the end of its answer by then is gone, ms. */
const STALLED_MS = 60_000
const ENGINE_FAILED = 'The model failed to answer. Nothing is charged.'

export type ServeChatParameters = {
  admission: Admission
  /** Socket side of the answer; written to directly, since the receipt covers the exact bytes. */
  response: ServerResponse
  /** Aborted when the client goes away. */
  signal: AbortSignal
  chain: NodeChain
  store: ReceiptStore
  sign: (answer: ReceiptParameters) => Promise<SignedReceipt>
  log: (event: string, facts: Record<string, unknown>) => void
}

/** What every answer's receipt is made from, once its bytes are known. */
type Outcome = {
  status: number
  responseHash: Hex
  outputUnits: number
}

/**
 * Runs one admitted request and answers it. Whatever happens, the claimed request id ends with exactly one receipt in
 * the store, durable before the last bytes of the answer go out.
 */
export async function serveChat(parameters: ServeChatParameters): Promise<void> {
  const { admission } = parameters
  const head: AnswerHead = {
    id: `chatcmpl-${admission.payment.requestId.slice(2, 34)}`,
    created: Math.floor(Date.now() / 1000),
    model: admission.request.model,
  }
  if (admission.request.stream) await serveStream(parameters, head)
  else await serveWhole(parameters, head)
}

async function serveWhole(parameters: ServeChatParameters, head: AnswerHead): Promise<void> {
  const { admission, response, signal } = parameters
  const pieces: string[] = []
  const result = await generate(parameters, (text) => pieces.push(text))

  let status: number = STATUS.complete
  let code = 200
  let body: Uint8Array
  let outputUnits = 0
  if (signal.aborted) {
    // Nothing was delivered, so nothing is charged, and the hash is that of an empty answer.
    status = STATUS.cancelled
    body = new Uint8Array(0)
  } else if (result === undefined) {
    status = STATUS.failed
    code = 500
    body = openaiErrorBody({
      status: 500,
      message: ENGINE_FAILED,
      type: 'server_error',
      code: 'engine_failed',
      param: null,
    })
  } else {
    outputUnits = result.outputUnits
    body = wholeAnswer(head, pieces.join(''), finishOf(result), {
      inputUnits: admission.prepared.inputUnits,
      outputUnits,
    })
  }
  const signed = await settle(parameters, {
    status,
    responseHash: responseHash({ status: code, contentType: JSON_TYPE, body }),
    outputUnits,
  })
  if (response.destroyed) return
  response.writeHead(code, {
    ...firstHeaders(admission, JSON_TYPE),
    'content-length': body.length,
    [RECEIPT_HEADER]: encodeReceiptHeader(signed),
  })
  await end(response, body)
}

async function serveStream(parameters: ServeChatParameters, head: AnswerHead): Promise<void> {
  const { admission, response, signal } = parameters
  const { request, prepared } = admission
  const events = streamAnswer(head, request.includeUsage)
  const sent: Uint8Array[] = []
  // Not awaited: the context length bounds what can pile up in the socket, and a slow reader must not hold the engine.
  const send = (event: Uint8Array): void => {
    if (signal.aborted) return
    sent.push(event)
    response.write(event)
  }

  response.writeHead(200, firstHeaders(admission, STREAM_TYPE))
  send(events.role())
  let delivered = 0
  const result = await generate(parameters, (text, outputUnits) => {
    if (signal.aborted) return
    if (text !== '') send(events.text(text))
    delivered = outputUnits
  })

  let status: number = STATUS.complete
  let outputUnits = delivered
  if (!signal.aborted && result === undefined) {
    status = STATUS.failed
    send(streamError(ENGINE_FAILED, 'engine_failed'))
  } else if (!signal.aborted && result !== undefined) {
    outputUnits = result.outputUnits
    send(events.finish(finishOf(result)))
    if (request.includeUsage) send(events.usage({ inputUnits: prepared.inputUnits, outputUnits }))
  }
  if (signal.aborted) {
    // What was written before the client left is what the receipt covers and charges for.
    status = STATUS.cancelled
    outputUnits = delivered
  } else {
    sent.push(STREAM_DONE)
  }
  const signed = await settle(parameters, {
    status,
    responseHash: responseHash({ status: 200, contentType: STREAM_TYPE, body: concatBytes(sent) }),
    outputUnits,
  })
  if (response.destroyed) return
  const comment = new TextEncoder().encode(`${RECEIPT_COMMENT}${encodeReceiptHeader(signed)}\n`)
  await end(response, concatBytes([comment, STREAM_DONE]))
}

/** Runs the engine in its turn; undefined when it failed. A client that left while waiting never starts it. */
async function generate(
  { admission, signal, log }: ServeChatParameters,
  onText: (text: string, outputUnits: number) => void,
): Promise<GenerateResult | undefined> {
  const { request, prepared, payment } = admission
  if (signal.aborted) return undefined
  try {
    return await prepared.generate({
      ...request.sampling,
      maxTokens: request.maxOutput,
      stop: request.stop,
      signal,
      onText,
    })
  } catch (error) {
    const reason = error instanceof Error ? error.name : 'unknown'
    log('engine_failed', { requestId: payment.requestId, reason })
    return undefined
  }
}

/** Signs the receipt and makes it durable. */
async function settle(parameters: ServeChatParameters, outcome: Outcome): Promise<SignedReceipt> {
  const { admission, chain, store, sign, log } = parameters
  const signed = await sign({
    requestId: admission.payment.requestId,
    payer: admission.payment.payer,
    committer: admission.committer,
    modelId: admission.served.modelId,
    priceVersion: admission.price.version,
    priceRow: admission.price.row,
    requestHash: admission.requestHash,
    inputUnits: admission.prepared.inputUnits,
    valueAtRisk: admission.valueAtRisk,
    // Admission required one, and the watcher never forgets the last it saw.
    anchor: chain.anchor() as Anchor,
    ...outcome,
  })
  store.save(signed)
  const { requestId, status, outputUnits, price, seq } = signed.receipt
  log('receipt', {
    requestId,
    seq: seq.toString(),
    status,
    outputUnits: outputUnits.toString(),
    price: price.toString(),
  })
  return signed
}

function firstHeaders(admission: Admission, contentType: string): Record<string, string> {
  return {
    [REQUEST_ID_HEADER]: admission.payment.requestId,
    'x-assay-verification': 'tee',
    'content-type': contentType,
    // A proxy that recompresses or rewrites would break the hash over the bytes (RFC 9111 §5.2.2.6).
    'cache-control': 'no-store, no-transform',
  }
}

function finishOf(result: GenerateResult): FinishReason {
  return result.finish === 'length' ? 'length' : 'stop'
}

function end(response: ServerResponse, last: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve)
    response.setTimeout(STALLED_MS, () => response.destroy())
    response.end(last, () => resolve())
  })
}
