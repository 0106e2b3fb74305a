import type { IncomingMessage, ServerResponse } from 'node:http'
import { traceExchange } from '@assay/chain/tracing'
import {
  AssayError,
  CONFIDENTIAL_PATH,
  canonicalJsonBytes,
  type Deployment,
  type DialectError,
  ENGINE_CLASS,
  errorBody,
  proofAttachmentToJson,
  type SignedReceipt,
  signedReceiptToJson,
  toBase64,
} from '@assay/protocol'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import type { Address, Hex } from 'viem'
import type { NodeChain } from '../chain/nodeChain.ts'
import type { Dialect } from '../dialects/dialect.ts'
import { DIALECTS } from '../dialects/dialects.ts'
import { badRequest } from '../dialects/refusal.ts'
import type { Enclave } from '../enclaves/enclave.ts'
import type { EvidenceStore } from '../enclaves/evidenceStore.ts'
import type { ConfidentialKey } from '../keyRing.ts'
import type { OpenGradientRoom } from '../opengradient/room.ts'
import { QueueFullError } from '../queue.ts'
import type { ReceiptStore } from '../receiptStore.ts'
import type { ReceiptParameters } from '../signReceipt.ts'
import { type Admission, admit, modeOf, type RawRequest, unavailable } from './admit.ts'
import type { AnswerSink } from './answerSink.ts'
import { countTokens } from './countTokens.ts'
import { createGrantLedger } from './grantLedger.ts'
import { openConfidential } from './openConfidential.ts'
import { depositShort } from './paidBy.ts'
import { SealedSink } from './sealedSink.ts'
import { JSON_TYPE, serve } from './serve.ts'
import type { ServedModel } from './servedModel.ts'

/** Largest request body, bytes: room for pictures, and what a gateway takes by default. */
const MAX_BODY_BYTES = 4 * 1024 * 1024
/** A request that has not arrived by then is dropped, ms. */
const REQUEST_TIMEOUT_MS = 30_000
const MAX_CONNECTIONS = 512

const BUSY: DialectError = {
  status: 429,
  message: 'The node is busy; try again later. Nothing is charged.',
  type: 'rate_limit_error',
  code: 'queue_full',
}

export type StartServerParameters = {
  port: number
  operator: Address
  deployment: Deployment
  /** OPG. */
  token: Address
  escrow: Address
  /** What /health says of the signing key of now, if there is one yet, and what it lives in. */
  identity: () => { key: Address | undefined } & Pick<Enclave, 'hardware' | 'simulated'>
  /** Key that signs answers of an engine of this class. */
  keyOf: (engineClass: number) => Address | undefined
  /** What clients may encrypt to, what they are told first; nothing where there is no enclave. */
  confidential: () => readonly ConfidentialKey[]
  chain: NodeChain
  models: ReadonlyMap<string, ServedModel>
  receipts: ReceiptStore
  evidence: EvidenceStore
  sign: (answer: ReceiptParameters) => Promise<SignedReceipt>
  /** Called when an answer that is to be proved is durable. */
  onProvable?: (() => void) | undefined
  /** Whether the signing key is admitted; nothing is served before. */
  isKeyValid: () => boolean
  log: (event: string, facts: Record<string, unknown>) => void
  /** What is answered beyond our own under the profile `opengradient`. */
  openGradient?: OpenGradientRoom | undefined
  /** Overrides of the limits, for tests. */
  requestTimeoutMs?: number | undefined
}

export type NodeServer = { url: string; close: () => Promise<void> }

/** The node's HTTP surface on 127.0.0.1. */
export async function startServer(parameters: StartServerParameters): Promise<NodeServer> {
  const { operator, deployment, token, escrow, identity, keyOf, chain, models, receipts, evidence } =
    parameters
  const {
    sign,
    isKeyValid,
    log,
    confidential,
    openGradient,
    requestTimeoutMs = REQUEST_TIMEOUT_MS,
  } = parameters
  const dialects = openGradient?.dialects ?? DIALECTS
  const created = Math.floor(Date.now() / 1000)
  /** Ids whose answer is being made. In memory: nothing of them outlives the process. */
  const running = new Map<Hex, AbortController>()
  const deposits = createGrantLedger()

  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 128 },
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, requestTimeoutMs),
      maxHeaderSize: 48 * 1024,
    },
  })
  app.server.maxConnections = MAX_CONNECTIONS

  // The receipt covers raw bytes, so nobody parses them before they are hashed.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.addHook('onRequest', async (request, reply) => {
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      return refuse(
        reply,
        badRequest('Send the body without content-encoding.', null, 'unsupported_encoding', 415),
      )
    }
  })

  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status === 413) {
      const message = `The body is larger than ${MAX_BODY_BYTES} bytes.`
      return refuse(reply, badRequest(message, null, 'body_too_large', 413))
    }
    if (status < 500)
      return refuse(reply, badRequest('The request cannot be read.', null, 'bad_request', status))
    log('request_failed', { reason: error.name, code: error.code })
    return refuse(reply, {
      status: 500,
      message: 'The node failed to answer. Nothing is charged.',
      type: 'server_error',
      code: 'internal_error',
    })
  })
  app.setNotFoundHandler((request, reply) =>
    refuse(reply, badRequest(`There is no ${request.method} at this path.`, null, 'not_found', 404)),
  )

  app.get('/health', async (_request, reply) => {
    // One that is not published yet is not offered; the others need not wait for it.
    const priced = [...models.values()].filter(({ modelId }) => chain.price(modelId) !== undefined)
    const missing = !isKeyValid() ? 'key_pending' : priced.length === 0 ? 'price_unknown' : undefined
    const queues = [...models.values()].map((served) => served.queue.state())
    const sum = (name: 'running' | 'waiting' | 'limit') =>
      queues.reduce((total, queue) => total + queue[name], 0)
    reply.code(missing === undefined ? 200 : 503)
    const { key, hardware, simulated } = identity()
    return {
      status: missing ?? 'ok',
      operator,
      key: key ?? null,
      // While one key takes the place of another, requests may be encrypted to both.
      confidentialKeys: confidential().map((member) => member.key),
      hardware,
      simulated,
      models: priced.map(({ modelId, manifest, engine }) => ({
        name: manifest.name,
        modelId,
        contextLength: manifest.contextLength,
        // What a router needs: how answers of this model can be verified here, and by whose key they are signed.
        modes: manifest.modes.filter((mode) => mode === modeOf(engine)),
        engineClass: engine.engineClass,
        key: keyOf(engine.engineClass) ?? null,
      })),
      queue: { running: sum('running'), waiting: sum('waiting'), limit: sum('limit') },
    }
  })

  const modelJson = ({ modelId, manifest }: ServedModel) => ({
    id: manifest.name,
    object: 'model',
    created,
    owned_by: 'assay',
    // What Anthropic's clients read of the same entry.
    type: 'model',
    display_name: manifest.name,
    created_at: new Date(created * 1000).toISOString(),
    model_id: modelId,
    context_length: manifest.contextLength,
    modes: manifest.modes,
  })
  app.get('/v1/models', async () => {
    const data = [...models.values()].map(modelJson)
    return {
      object: 'list',
      data,
      has_more: false,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
    }
  })
  app.get('/v1/models/:id', async (request: FastifyRequest<{ Params: { id: string } }>, reply) => {
    const served = models.get(request.params.id)
    if (served !== undefined) return modelJson(served)
    const message = 'There is no such model here; GET /v1/models lists those there are.'
    return refuse(reply, badRequest(message, 'model', 'model_not_found', 404))
  })

  app.get('/v1/evidence/:hash', async (request: FastifyRequest<{ Params: { hash: string } }>, reply) => {
    const found = await evidence.find(request.params.hash.toLowerCase() as Hex)
    if (found === undefined) {
      return refuse(
        reply,
        badRequest('There is no evidence under this hash.', null, 'evidence_not_found', 404),
      )
    }
    reply.header('cache-control', 'public, max-age=31536000, immutable')
    return reply.type(JSON_TYPE).send(Buffer.from(found))
  })

  app.get('/v1/receipts/:id', async (request: FastifyRequest<{ Params: { id: string } }>, reply) => {
    const id = request.params.id.toLowerCase() as Hex
    const signed = receipts.find(id)
    if (signed !== undefined) {
      reply.header('cache-control', 'no-store')
      return reply.type(JSON_TYPE).send(Buffer.from(canonicalJsonBytes(signedReceiptToJson(signed))))
    }
    return running.has(id)
      ? refuse(reply, badRequest('This request is still being answered.', null, 'request_running', 404))
      : refuse(reply, badRequest('There is no receipt of this request.', null, 'receipt_not_found', 404))
  })

  app.get('/v1/proofs/:id', async (request: FastifyRequest<{ Params: { id: string } }>, reply) => {
    const found = receipts.proofs.find(request.params.id.toLowerCase() as Hex)
    const refused = (message: string, code: string) => refuse(reply, badRequest(message, null, code, 404))
    if (found === undefined) return refused('Nothing is to be proved under this id.', 'proof_not_found')
    if (found.proof === undefined) return refused('The proof is being made.', 'proof_pending')
    const card = [...models.values()].find(({ modelId }) => modelId === found.modelId)?.engine.prover?.card
    if (card === undefined) return refused('The model is not served here any more.', 'proof_not_found')
    reply.header('cache-control', 'public, max-age=31536000, immutable')
    const attachment = proofAttachmentToJson({ card, proof: found.proof, ...found.bodies })
    return reply.type(JSON_TYPE).send(Buffer.from(canonicalJsonBytes(attachment)))
  })

  /** What has to hold of any request with a body; answers and returns undefined where it does not. */
  function accept(request: FastifyRequest, reply: FastifyReply): RawRequest | undefined {
    const type = request.headers['content-type'] ?? ''
    if (!/^application\/json\s*(;|$)/i.test(type)) {
      refuse(reply, badRequest('Send content-type: application/json.', null, 'unsupported_media_type', 415))
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

  type Answering = {
    dialect: Dialect
    raw: RawRequest
    reply: FastifyReply
    sink: AnswerSink
    decline: (error: DialectError, retryAfter?: number) => FastifyReply
    /** Model that was named outside of an encrypted request, and the key that it was encrypted to. */
    model?: string | undefined
    sign?: ConfidentialKey['sign'] | undefined
  }

  async function answerRaw(answering: Answering): Promise<FastifyReply> {
    const { dialect, raw, reply, sink, decline, model } = answering
    const admitted = await admit(raw, dialect, { deployment, token, escrow, chain, operator, models })
    if ('error' in admitted) return decline(admitted.error)
    const { admission } = admitted
    const { requestId, grant } = admission.payment
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
    const { quote } = admission
    if (grant !== undefined && !deposits.reserve(grant.id, grant.account, requestId, quote)) {
      return decline(depositShort(quote))
    }
    const stop = new AbortController()
    running.set(requestId, stop)
    const gone = goneSignal(reply.raw)
    try {
      await inTurn(admission, gone, reply, () =>
        serve({
          admission,
          response: sink,
          signal: gone,
          stop: stop.signal,
          chain,
          store: receipts,
          sign: answering.sign ?? sign,
          trace: reply.request.headers.traceparent,
          log,
        }),
      )
    } catch (error) {
      if (error instanceof QueueFullError) return decline(BUSY, error.retryAfter)
      log('serve_failed', { requestId, reason: error instanceof AssayError ? error.code : nameOf(error) })
      // The answer's head may be out: a broken connection is the only honest sign left.
      if (!reply.sent) throw error
      reply.raw.destroy()
    } finally {
      running.delete(requestId)
      if (admission.served.engine.prover !== undefined) parameters.onProvable?.()
      if (grant !== undefined) {
        deposits.end(grant.id, requestId, receipts.find(requestId)?.receipt.price ?? 0n)
      }
    }
    return reply
  }

  for (const [path, dialect] of Object.entries(dialects)) {
    app.post(path, (request, reply) => {
      traceExchange(request.raw, reply.raw)
      return answer(dialect, request, reply)
    })
  }
  openGradient?.routes(app, refuse)

  // Its id is known to nobody but the caller and who serves him, until the receipt is out.
  app.post<{ Params: { id: Hex } }>('/v1/requests/:id/stop', (request, reply) => {
    const stop = running.get(request.params.id)
    if (stop === undefined)
      return refuse(reply, badRequest('No such request runs here.', null, 'not_found', 404))
    stop.abort()
    return reply.code(202).send()
  })

  const noEnclave = (reply: FastifyReply): FastifyReply =>
    refuse(reply, badRequest('There is no enclave here that could be encrypted to.', null, 'not_found', 404))
  app.post(CONFIDENTIAL_PATH, (request, reply) => {
    traceExchange(request.raw, reply.raw)
    return confidential().length === 0 ? noEnclave(reply) : answerSealed(request, reply)
  })
  app.get(CONFIDENTIAL_PATH, async (_request, reply) => {
    const [first] = confidential()
    if (first === undefined) return noEnclave(reply)
    return { key: first.key, ohttpKey: toBase64(first.ohttp.config), simulated: first.simulated }
  })

  app.post('/v1/messages/count_tokens', async (request, reply) => {
    const raw = accept(request, reply)
    if (raw === undefined) return reply
    const counted = await countTokens(raw, models, goneSignal(reply.raw))
    return 'error' in counted ? refuse(reply, counted.error) : reply.type(JSON_TYPE).send(counted)
  })

  await app.listen({ host: '127.0.0.1', port: parameters.port })
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : parameters.port
  return { url: `http://127.0.0.1:${port}`, close: () => app.close() }
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

/** Aborts when the client closed its side before the answer was complete. */
function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new Error('the client left'))
  })
  if (response.destroyed) controller.abort(new Error('the client left'))
  return controller.signal
}

function rawRequestOf(incoming: IncomingMessage, body: unknown): RawRequest {
  const headers: Array<readonly [string, string]> = []
  const { rawHeaders } = incoming
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.push([rawHeaders[at] as string, rawHeaders[at + 1] as string])
  }
  return {
    method: (incoming.method ?? 'POST').toUpperCase(),
    path: incoming.url ?? '/',
    headers,
    body: body instanceof Uint8Array ? new Uint8Array(body) : new Uint8Array(0),
  }
}

function refuse(reply: FastifyReply, error: DialectError, retryAfter?: number): FastifyReply {
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  return reply
    .code(error.status)
    .type(JSON_TYPE)
    .send(Buffer.from(errorBody(error, reply.request.url)))
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown'
}
