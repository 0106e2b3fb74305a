import { traceExchange } from '@assay/chain/tracing'
import {
  CONFIDENTIAL_HEADERS,
  CONFIDENTIAL_PATH,
  decodeRequestAuthHeader,
  MAX_EVIDENCE_BYTES,
  OHTTP_REQUEST_TYPE,
  REQUEST_AUTH_HEADER,
  recoverSigner,
  requestAuthDigest,
  type SignedRequestAuth,
} from '@assay/protocol'
import type { CheckedPayment } from '@assay/verify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { ask } from '../http/ask.ts'
import { RefusedError } from '../http/dialectError.ts'
import type { InferenceNode } from '../nodes/inferenceNode.ts'
import { readBounded } from '../nodes/readBounded.ts'
import { admit, authenticate } from '../payment/admit.ts'
import { chooseNode } from '../routing/chooseNode.ts'
import { claimAndRelay } from './claimAndRelay.ts'
import { traceOf } from './traceOf.ts'

const MAX_KEY_BYTES = 8192

/**
 * Requests that are encrypted to an enclave's key (docs/spec.md §12). The gateway sees who pays, for which model, at
 * most how much, and sizes; never what is asked or answered.
 */
export function confidentialRoutes(
  server: FastifyInstance,
  context: Context,
  bounded: (work: () => Promise<void>) => Promise<void>,
): void {
  /** Which enclave to encrypt to. The client believes none of it: it looks the key up on the chain. */
  server.get(
    CONFIDENTIAL_PATH,
    async (request: FastifyRequest<{ Querystring: { model?: string } }>, reply) => {
      const serves = (name: string) => serving(context, name).filter((node) => node.confidentialKeys.size > 0)
      const choose = (name: string) => chooseNode(serves(name), performance.now())
      const node = healthyNode(context, choose, String(request.query.model ?? ''))
      const answer = await readFrom(node, CONFIDENTIAL_PATH, MAX_KEY_BYTES)
      if (answer === undefined) throw noNode(context)
      return reply.header('cache-control', 'no-store').type('application/json').send(answer)
    },
  )

  /** Evidence of a registered key, from whichever node has it: its bytes prove themselves by their hash. */
  server.get('/v1/evidence/:hash', async (request: FastifyRequest<{ Params: { hash: string } }>, reply) => {
    const { hash } = request.params
    if (/^0x[0-9a-f]{64}$/.test(hash)) {
      for (const node of context.nodes.nodes) {
        const found = await readFrom(node, `/v1/evidence/${hash}`, MAX_EVIDENCE_BYTES)
        if (found !== undefined) return reply.type('application/json').send(found)
      }
    }
    throw refusal(404, 'evidence_not_found', 'No node of this gateway has evidence under this hash.')
  })

  server.post(CONFIDENTIAL_PATH, async (request, reply) => {
    traceExchange(request.raw, reply.raw)
    await bounded(() => handle(context, request, reply))
    return reply
  })
}

async function readFrom(node: InferenceNode, path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    const answer = await ask(node.pool, { method: 'GET', path, signal: AbortSignal.timeout(5000) })
    const bytes = await readBounded(answer.body, maxBytes)
    return answer.statusCode === 200 ? bytes : undefined
  } catch {
    return undefined
  }
}

async function handle(context: Context, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const arrivedAt = performance.now()
  const header = (name: string): string => {
    const value = request.headers[name]
    return typeof value === 'string' ? value : ''
  }
  const priceText = header(CONFIDENTIAL_HEADERS.maxPrice)
  if (!/^[1-9][0-9]{0,38}$/.test(priceText)) {
    const message = `\`${CONFIDENTIAL_HEADERS.maxPrice}\` must be the most the request may cost, in base units.`
    throw refusal(400, 'invalid_max_price', message)
  }
  const maximum = BigInt(priceText)
  const key = header(CONFIDENTIAL_HEADERS.key).toLowerCase()
  const name = header(CONFIDENTIAL_HEADERS.model)
  const keyed = (model: string) => serving(context, model).find((node) => node.confidentialKeys.has(key))
  const node = healthyNode(context, keyed, name)
  const model = context.models.get(name)
  if (model === undefined) throw new Error('unreachable: healthyNode knows only listed models')
  const url = `${context.network.gatewayUrl}${CONFIDENTIAL_PATH}`
  const paid = header('payment-signature')
  if (paid !== '') {
    const type = header('content-type').toLowerCase()
    if (!Object.values(OHTTP_REQUEST_TYPE).includes(type)) {
      throw refusal(415, 'unsupported_media_type', `Send content-type: ${OHTTP_REQUEST_TYPE.chunked}.`)
    }
  }
  const payment = await authenticate(context, paid === '' ? undefined : paid, maximum, url)
  const auth = await payersAuth(context, header(REQUEST_AUTH_HEADER), payment, model.modelId, maximum)
  await admit(context, payment, maximum, url)
  await claimAndRelay(context, request, reply, {
    payment,
    model,
    // It can be read by that enclave alone, so nobody else can take it over.
    route: {
      ...{ mode: 'tee', node, candidates: [node], why: 'encrypted to its key' },
      ...{ exposure: maximum, valueAtRisk: undefined },
    },
    // Of the bytes inside, which the gateway cannot hash: the payer signed that this is what it asks.
    requestHash: auth.requestHash,
    body: request.body instanceof Uint8Array ? request.body : new Uint8Array(0),
    maximum,
    arrivedAt,
    trace: traceOf(request.headers),
  })
}

/** The payer's own signature on this request, which says what the gateway cannot read. @throws RefusedError */
async function payersAuth(
  context: Context,
  header: string,
  payment: CheckedPayment,
  modelId: string,
  maximum: bigint,
): Promise<SignedRequestAuth['auth']> {
  const wrong = (reason: string): RefusedError =>
    refusal(400, 'invalid_request_auth', `The header \`${REQUEST_AUTH_HEADER}\` does not fit: ${reason}.`)
  let signed: SignedRequestAuth
  let signer: string
  try {
    signed = decodeRequestAuthHeader(header)
    signer = await recoverSigner(requestAuthDigest(signed.auth, context.deployment), signed.signature)
  } catch {
    throw wrong('an encrypted request needs it, and it cannot be read')
  }
  const { auth } = signed
  if (signer !== payment.payer.toLowerCase()) throw wrong('it is not signed by the payer')
  if (auth.requestId !== payment.requestId) throw wrong('it names another payment')
  if (auth.committer !== context.committer) throw wrong('it names another gateway')
  if (auth.modelId !== modelId.toLowerCase()) throw wrong('it names another model')
  if (auth.maxPrice !== maximum) throw wrong('it names another maximum price')
  return auth
}

/** Nodes that answer for a model now. */
function serving(context: Context, model: string): InferenceNode[] {
  return context.nodes.nodes.filter(
    ({ healthy, draining, offers }) => healthy && !draining && offers.has(model),
  )
}

function healthyNode(
  context: Context,
  pick: (model: string) => InferenceNode | undefined,
  name: string,
): InferenceNode {
  if (!context.models.has(name)) {
    const message = 'The model does not exist; GET /v1/models lists those that do.'
    throw refusal(404, 'model_not_found', message)
  }
  const node = pick(name)
  if (node === undefined) throw noNode(context)
  return node
}

function noNode(context: Context): RefusedError {
  context.metrics.count('refused_total', 'no_node')
  const message = 'No healthy enclave serves this with that key right now; ask for the key again.'
  return refusal(503, 'no_node', message)
}

function refusal(status: number, code: string, message: string): RefusedError {
  const type = status < 500 ? 'invalid_request_error' : 'server_error'
  return new RefusedError({ status, message, type, code })
}
