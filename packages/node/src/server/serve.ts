import { setImmediate } from 'node:timers/promises'
import { inSpan } from '@assay/chain/tracing'
import {
  clientRequestId,
  concatBytes,
  type DialectError,
  encodeReceiptHeader,
  errorBody,
  type HttpResponseBytes,
  MODE,
  RECEIPT_COMMENT,
  RECEIPT_HEADER,
  REQUEST_ID_HEADER,
  responseHash,
  type SignedReceipt,
  STATUS,
} from '@assay/protocol'
import type { NodeChain } from '../chain/nodeChain.ts'
import { collectAnswer } from '../dialects/answer.ts'
import type { AnswerWriter } from '../dialects/dialect.ts'
import { type AnswerEvent, EngineError, type Usage } from '../engines/engine.ts'
import type { ReceiptStore } from '../receiptStore.ts'
import type { Anchor, ReceiptParameters } from '../signReceipt.ts'
import { type Admission, modeOf } from './admit.ts'
import type { AnswerSink } from './answerSink.ts'
import { requirePaid, runBeforePaid, UnpaidError } from './runBeforePaid.ts'
import { startWaiting, WAITING } from './waiting.ts'

export const JSON_TYPE = 'application/json'
const STREAM_TYPE = 'text/event-stream'
/** A reader that has not taken the end of its answer by then is gone, ms. */
const STALLED_MS = 60_000

export type ServeParameters = {
  admission: Admission
  /** Socket side of the answer; written to directly, since the receipt covers the exact bytes. */
  response: AnswerSink
  /** Aborted when the client goes away. */
  signal: AbortSignal
  /** Aborted when the client has heard enough of a stream, and still wants its end and its receipt. */
  stop: AbortSignal
  chain: NodeChain
  store: ReceiptStore
  sign: (answer: ReceiptParameters) => Promise<SignedReceipt>
  /** W3C traceparent of what its spans stand under. */
  trace?: string | string[] | undefined
  /** Silence of a stream after which it says that it goes on, ms; for tests. */
  silenceMs?: number | undefined
  log: (event: string, facts: Record<string, unknown>) => void
}

/** What every answer's receipt is made from, once its bytes are known. */
type Outcome = Usage & { status: number; response: HttpResponseBytes }

/** How the engine's work ended; with the body of the answer where it is to be whole. */
type Result =
  | { usage: Usage; body?: Uint8Array | undefined }
  | { failure: DialectError; retryAfter: number | undefined }

const encoder = new TextEncoder()

/**
 * Runs one admitted request and answers it. Whatever happens, the claimed request id ends with exactly one receipt in
 * the store, durable before the last bytes of the answer go out.
 * @throws UnpaidError where the chain refuses the payment meanwhile: nothing was said then, and nothing is signed
 */
export async function serve(parameters: ServeParameters): Promise<void> {
  const { dialect, payment, reading } = parameters.admission
  const writer = reading.answer({
    id: `${dialect.idPrefix}${payment.requestId.slice(2, 34)}`,
    created: Math.floor(Date.now() / 1000),
    model: reading.intent.model,
  })
  if (reading.intent.stream) await serveStream(parameters, writer)
  else await serveWhole(parameters, writer)
}

async function serveWhole(parameters: ServeParameters, writer: AnswerWriter): Promise<void> {
  const { admission, signal } = parameters
  const collected = collectAnswer()
  const result = await run(parameters, collected.add, (usage) => writer.whole(collected.answer, usage))
  if (signal.aborted) {
    // Nothing was delivered, so nothing is charged, and the hash is that of an empty answer.
    const inputUnits = admission.prepared.inputUnits ?? 0
    return await answerWhole(parameters, 200, new Uint8Array(0), STATUS.cancelled, {
      inputUnits,
      outputUnits: 0,
    })
  }
  if ('failure' in result) return await answerFailure(parameters, result)
  await answerWhole(parameters, 200, result.body ?? new Uint8Array(0), STATUS.complete, result.usage)
}

async function answerFailure(
  parameters: ServeParameters,
  { failure, retryAfter }: Extract<Result, { failure: unknown }>,
): Promise<void> {
  const { admission, response } = parameters
  if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter))
  const usage = { inputUnits: admission.prepared.inputUnits ?? 0, outputUnits: 0 }
  const body = encoder.encode(errorBody(failure, admission.path))
  await answerWhole(parameters, failure.status, body, STATUS.failed, usage)
}

async function answerWhole(
  parameters: ServeParameters,
  code: number,
  body: Uint8Array,
  status: number,
  usage: Usage,
): Promise<void> {
  const { admission, response } = parameters
  const signed = await settle(parameters, {
    status,
    response: { status: code, contentType: JSON_TYPE, body },
    ...usage,
  })
  if (response.destroyed) return
  response.writeHead(code, {
    ...firstHeaders(admission, JSON_TYPE),
    'content-length': body.length,
    [RECEIPT_HEADER]: encodeReceiptHeader(signed),
  })
  await end(response, body)
}

async function serveStream(parameters: ServeParameters, writer: AnswerWriter): Promise<void> {
  const { admission, response, signal, stop } = parameters
  const events = writer.stream()
  const sent: Uint8Array[] = []
  const waiting = startWaiting(() => {
    // Before the head nothing goes out, so that a failure can still be a status. Each `send` is of whole events.
    if (response.headersSent && !signal.aborted) response.write(WAITING)
  }, parameters.silenceMs)
  // Not awaited: the context length bounds what can pile up in the socket, and a slow reader must not hold the engine.
  const send = (text: string): void => {
    if (signal.aborted || text === '') return
    // Only with the first event: a failure before it is answered by a status, not by a broken stream.
    if (!response.headersSent) response.writeHead(200, firstHeaders(admission, STREAM_TYPE))
    const bytes = encoder.encode(text)
    sent.push(bytes)
    response.write(bytes)
    waiting.spoke()
  }
  let opened = false
  const open = (): void => {
    if (opened) return
    opened = true
    send(events.open(admission.prepared.inputUnits))
  }
  let delivered = 0
  const begun = new Set<number>()
  const ended = new Set<number>()
  const either = AbortSignal.any([signal, stop])
  const result = await run({ ...parameters, signal: either }, (event, outputUnits) => {
    if (either.aborted) return
    open()
    if ('choice' in event) begun.add(event.choice)
    if (event.type === 'finish') ended.add(event.choice)
    send(events.event(event, outputUnits))
    delivered = outputUnits
  }).finally(waiting.end)

  const stopped = stop.aborted && !signal.aborted
  if (!either.aborted && 'failure' in result && sent.length === 0)
    return await answerFailure(parameters, result)
  let status: number = STATUS.complete
  let usage: Usage = { inputUnits: admission.prepared.inputUnits ?? 0, outputUnits: delivered }
  let terminal = ''
  if ('usage' in result) usage = result.usage
  if (stopped) {
    open()
    status = STATUS.cancelled
    usage = { ...usage, outputUnits: delivered }
    // The vendors' clients take an answer without a reason for its end for one that broke off, an empty one too.
    if (begun.size === 0) begun.add(0)
    for (const choice of [...begun].filter((one) => !ended.has(one)))
      send(events.event({ type: 'finish', choice, reason: 'stop' }, delivered))
    send(events.cut?.(new TextDecoder().decode(concatBytes(sent)), usage) ?? events.close(usage))
    terminal = events.terminal()
  } else if (!signal.aborted) {
    open()
    if ('usage' in result) {
      send(events.close(result.usage))
      terminal = events.terminal()
    } else {
      status = STATUS.failed
      const failure = events.fail(result.failure)
      send(failure.event)
      terminal = failure.terminal
    }
  }
  const last = encoder.encode(terminal)
  if (signal.aborted) {
    // What was written before the client left is what the receipt covers and charges for.
    status = STATUS.cancelled
    usage = { ...usage, outputUnits: delivered }
  } else sent.push(last)
  // What has been said goes out first: it may be all of the answer, and would wait for its signature else.
  await setImmediate()
  const signed = await settle(parameters, {
    status,
    response: { status: 200, contentType: STREAM_TYPE, body: concatBytes(sent) },
    ...usage,
  })
  if (response.destroyed) return
  if (!response.headersSent) response.writeHead(200, firstHeaders(admission, STREAM_TYPE))
  const comment = encoder.encode(`${RECEIPT_COMMENT}${encodeReceiptHeader(signed)}\n`)
  await end(response, concatBytes([comment, last]))
}

/**
 * Runs the engine in its turn. A client that left while waiting never starts it.
 * @param write makes the body of a whole answer; one that cannot be written is a failure like any other
 */
async function run(
  { admission, signal, trace, log }: ServeParameters,
  emit: (event: AnswerEvent, outputUnits: number) => void,
  write?: (usage: Usage) => Uint8Array,
): Promise<Result> {
  const { prepared, payment } = admission
  const { outstanding } = payment
  if (signal.aborted) {
    await requirePaid(outstanding)
    return { usage: { inputUnits: prepared.inputUnits ?? 0, outputUnits: 0 } }
  }
  try {
    const span = { parent: trace, attributes: { 'assay.request_id': payment.requestId } }
    const usage = await inSpan('run model', span, () =>
      outstanding === undefined
        ? prepared.run({ signal, emit })
        : runBeforePaid(prepared, outstanding, { signal, emit }),
    )
    return { usage, body: signal.aborted ? undefined : write?.(usage) }
  } catch (error) {
    if (error instanceof UnpaidError) throw error
    if (error instanceof EngineError) {
      const { status, message, code, param, retryAfter } = error
      log('engine_refused', { requestId: payment.requestId, status, code })
      const type =
        status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error'
      return { failure: { status, message: `${message} Nothing is charged.`, type, code, param }, retryAfter }
    }
    log('engine_failed', {
      requestId: payment.requestId,
      reason: error instanceof Error ? error.name : 'unknown',
    })
    const message = 'The model failed to answer. Nothing is charged.'
    return {
      failure: { status: 500, message, type: 'server_error', code: 'engine_failed' },
      retryAfter: undefined,
    }
  }
}

/** Signs the receipt and makes it durable. */
async function settle(
  parameters: ServeParameters,
  { response, evidenceHash, ...outcome }: Outcome,
): Promise<SignedReceipt> {
  const { admission, chain, store, sign, trace, log } = parameters
  const { engine } = admission.served
  const span = { parent: trace, attributes: { 'assay.request_id': admission.payment.requestId } }
  const statement: ReceiptParameters = {
    requestId: admission.payment.requestId,
    payer: admission.payment.payer,
    committer: admission.committer,
    modelId: admission.served.modelId,
    priceVersion: admission.price.version,
    priceRow: admission.price.row,
    requestHash: admission.requestHash,
    responseHash: responseHash(response),
    evidenceHash,
    valueAtRisk: admission.valueAtRisk,
    engineClass: engine.engineClass,
    mode: MODE[modeOf(engine)],
    // Admission required one, and the watcher never forgets the last it saw.
    anchor: chain.anchor() as Anchor,
    ...outcome,
    // The quote is what the payer agreed to: whatever a template or a provider made of the request, no more is charged.
    inputUnits: Math.min(outcome.inputUnits, admission.maxInputUnits),
    outputUnits: Math.min(outcome.outputUnits, admission.reading.intent.maxOutput),
  }
  const signed = await inSpan('sign receipt', span, () => sign(statement))
  await store.save(signed, evidenceHash === undefined ? undefined : { request: admission.request, response })
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
  const { requestId } = admission.payment
  return {
    [REQUEST_ID_HEADER]: requestId,
    ...clientRequestId(requestId),
    'x-assay-verification': modeOf(admission.served.engine),
    'content-type': contentType,
    // A proxy that recompresses or rewrites would break the hash over the bytes (RFC 9111 §5.2.2.6).
    'cache-control': 'no-store, no-transform',
  }
}

function end(response: AnswerSink, last: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve)
    response.setTimeout(STALLED_MS, () => response.destroy())
    response.end(last, () => resolve())
  })
}
