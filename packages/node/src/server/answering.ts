import { AssayError, type DialectError, ENGINE_CLASS, errorBody, mediaTypeProblem } from '@assay/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Hex } from 'viem'
import type { Dialect } from '../dialects/dialect.ts'
import { DIALECTS } from '../dialects/dialects.ts'
import { badRequest } from '../dialects/refusal.ts'
import type { ConfidentialKey } from '../keyRing.ts'
import { QueueFullError } from '../queue.ts'
import { type Admission, admit, unavailable } from './admit.ts'
import type { AnswerSink } from './answerSink.ts'
import { createGrantLedger } from './grantLedger.ts'
import { openConfidential } from './openConfidential.ts'
import { depositShort } from './paidBy.ts'
import { createPayerCredit } from './payerCredit.ts'
import { goneSignal, type RawRequest, rawRequestOf } from './rawRequest.ts'
import { refuse } from './refuse.ts'
import { UnpaidError } from './runBeforePaid.ts'
import { SealedSink } from './sealedSink.ts'
import { JSON_TYPE, serve } from './serve.ts'
import type { StartServerParameters } from './startServer.ts'

const BUSY: DialectError = {
  status: 429,
  message: 'The node is busy; try again later. Nothing is charged.',
  type: 'rate_limit_error',
  code: 'queue_full',
}

type Asked = {
  dialect: Dialect
  raw: RawRequest
  reply: FastifyReply
  sink: AnswerSink
  decline: (error: DialectError, retryAfter?: number) => FastifyReply
  /** Model that was named outside of an encrypted request, and the key that it was encrypted to. */
  model?: string | undefined
  sign?: ConfidentialKey['sign'] | undefined
}

/** Takes paid requests from their bytes to the durable receipt, each payment once. */
export function createAnswering(parameters: StartServerParameters) {
  const { operator, deployment, token, escrow, chain, models, receipts } = parameters
  const { sign, isKeyValid, log, confidential, openGradient, silenceMs } = parameters
  const dialects = openGradient?.dialects ?? DIALECTS
  /** Ids whose answer is being made. In memory: nothing of them outlives the process. */
  const running = new Map<Hex, AbortController>()
  const deposits = createGrantLedger()
  const credit = createPayerCredit()

  /** What has to hold of any request with a body; answers and returns undefined where it does not. */
  function accept(request: FastifyRequest, reply: FastifyReply): RawRequest | undefined {
    const problem = mediaTypeProblem(request.headers['content-type'])
    if (problem !== undefined) {
      refuse(reply, problem)
      return undefined
    }
    if (!isKeyValid()) {
      refuse(reply, unavailable('The signing key is not admitted yet.', 'not_ready'), 2)
      return undefined
    }
    return rawRequestOf(request.raw, request.body)
  }

  async function answer(
    dialect: Dialect,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const raw = accept(request, reply)
    if (raw === undefined) return reply
    const decline = (error: DialectError, retryAfter?: number) => refuse(reply, error, retryAfter)
    return answerRaw({ dialect, raw, reply, sink: reply.raw, decline })
  }

  /** The same for a request that came encrypted: refusals too are sealed, and only their status shows outside. */
  async function answerSealed(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (!isKeyValid())
      return refuse(reply, unavailable('The signing key is not admitted yet.', 'not_ready'), 2)
    const opened = await openConfidential(confidential(), rawRequestOf(request.raw, request.body))
    if ('error' in opened) return refuse(reply, opened.error)
    const { raw, sealer, model, disagreement, key } = opened
    const sink = new SealedSink(reply.raw, sealer)
    const decline = (error: DialectError, retryAfter?: number): FastifyReply => {
      reply.hijack()
      if (retryAfter !== undefined) sink.setHeader('retry-after', String(retryAfter))
      sink.writeHead(error.status, { 'content-type': JSON_TYPE }, true)
      sink.end(new TextEncoder().encode(errorBody(error, raw.path)), () => undefined)
      return reply
    }
    if (disagreement !== undefined) return decline(disagreement)
    const path = raw.path.split('?')[0] as string
    const dialect = Object.hasOwn(dialects, path) ? dialects[path] : undefined
    if (raw.method !== 'POST' || dialect === undefined) {
      return decline(badRequest(`There is no ${raw.method} at this path.`, null, 'not_found', 404))
    }
    return answerRaw({ dialect, raw, reply, sink, decline, model, sign: key.sign })
  }

  async function answerRaw(asked: Asked): Promise<FastifyReply> {
    const { dialect, raw, reply, sink, decline, model } = asked
    const admitted = await admit(raw, dialect, { deployment, token, escrow, chain, credit, operator, models })
    if ('error' in admitted) return decline(admitted.error)
    const { admission } = admitted
    const { requestId, payer, grant } = admission.payment
    if (model !== undefined && model !== admission.reading.intent.model) {
      const message = 'The model outside the encrypted request is not the one inside.'
      return decline(badRequest(message, 'model', 'confidential_mismatch'))
    }
    if (model !== undefined && admission.served.engine.prover !== undefined) {
      const message = 'Answers of this model are proved in public; ask for it without encryption.'
      return decline(badRequest(message, 'model', 'not_confidential'))
    }
    if (model !== undefined && admission.served.engine.engineClass !== ENGINE_CLASS.enclave) {
      const message =
        'This model runs at a provider, who would read the request; ask for one that runs in the enclave.'
      return decline(badRequest(message, 'model', 'not_confidential'))
    }

    if (running.has(requestId) || receipts.find(requestId) !== undefined) {
      const message = `This payment has been used for a request; its receipt is at /v1/receipts/${requestId}.`
      return decline(badRequest(message, null, 'duplicate_request', 409))
    }
    const stop = new AbortController()
    running.set(requestId, stop)
    const gone = goneSignal(reply.raw)
    try {
      if (!(await isHeld(admission))) return decline(depositShort(admission.quote))
      await inTurn(admission, gone, reply, () =>
        serve({
          admission,
          response: sink,
          signal: gone,
          stop: stop.signal,
          chain,
          store: receipts,
          sign: asked.sign ?? sign,
          trace: reply.request.headers.traceparent,
          silenceMs,
          log,
        }),
      )
    } catch (error) {
      if (error instanceof QueueFullError) return decline(BUSY, error.retryAfter)
      if (error instanceof UnpaidError) return decline(error.refusal)
      log('serve_failed', { requestId, reason: error instanceof AssayError ? error.code : nameOf(error) })
      // The answer's head may be out: a broken connection is the only honest sign left.
      if (!reply.sent) throw error
      reply.raw.destroy()
    } finally {
      running.delete(requestId)
      if (admission.served.engine.prover !== undefined) parameters.onProvable?.()
      const price = receipts.find(requestId)?.receipt.price ?? 0n
      if (grant === undefined) credit.add(payer, price)
      else deposits.end(grant.id, requestId, price)
    }
    return reply
  }

  /** Sets the highest price aside in the deposit behind the call, if there is one. False where it does not hold it. */
  async function isHeld({ payment: { requestId, grant }, quote }: Admission): Promise<boolean> {
    if (grant === undefined || deposits.reserve(grant.id, grant.account, requestId, quote)) return true
    // What was paid in a moment ago is worth a second look before anybody is turned away.
    const account = await chain.grantAccountNow(grant.id).catch(() => grant.account)
    return deposits.reserve(grant.id, account, requestId, quote)
  }

  /** Ends a running answer early; false where none runs under this id. */
  function stop(requestId: Hex): boolean {
    const controller = running.get(requestId)
    controller?.abort()
    return controller !== undefined
  }

  return {
    dialects,
    accept,
    answer,
    answerSealed,
    stop,
    isRunning: (requestId: Hex) => running.has(requestId),
  }
}

/** Waits for a turn at the model and runs; a client that leaves while waiting gets its (empty) receipt all the same. */
async function inTurn(
  admission: Admission,
  gone: AbortSignal,
  reply: FastifyReply,
  run: () => Promise<void>,
): Promise<void> {
  let leave: () => void = () => undefined
  try {
    leave = await admission.served.queue.enter(gone)
  } catch (error) {
    if (!gone.aborted) throw error
  }
  // From here on the bytes are ours: the framework must add nothing to them.
  reply.hijack()
  try {
    await run()
  } finally {
    leave()
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown'
}
