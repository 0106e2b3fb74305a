import { canonicalJsonBytes, proofAttachmentToJson, signedReceiptToJson } from '@assay/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Hex } from 'viem'
import { pathsOf } from '../dialects/dialect.ts'
import { badRequest } from '../dialects/refusal.ts'
import { modeOf } from './admit.ts'
import { refuse } from './refuse.ts'
import { JSON_TYPE } from './serve.ts'
import type { ServedModel } from './servedModel.ts'
import type { StartServerParameters } from './startServer.ts'

/** What anybody may ask of a node: how it is, what it serves, and the evidence, receipts and proofs it made. */
export function infoRoutes(
  app: FastifyInstance,
  parameters: StartServerParameters,
  isRunning: (requestId: Hex) => boolean,
): void {
  const { operator, identity, keyOf, confidential, chain, models, receipts, evidence, isKeyValid } =
    parameters
  const { sealedKeys = new Map() } = parameters
  const created = Math.floor(Date.now() / 1000)

  app.get('/health', async (_request, reply) => {
    // One that is not published yet is not offered; the others need not wait for it.
    const priced = [...models.values()].filter(({ modelId }) => chain.price(modelId) !== undefined)
    const ready = priced.filter(({ engine }) => engine.isReady?.() !== false)
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
      models: ready.map(({ modelId, manifest, engine }) => ({
        name: manifest.name,
        modelId,
        contextLength: manifest.contextLength,
        // What a router needs: how answers of this model can be verified here, and by whose key they are signed.
        modes: manifest.modes.filter((mode) => mode === modeOf(engine)),
        paths: pathsOf(engine),
        engineClass: engine.engineClass,
        key: keyOf(engine.engineClass) ?? null,
      })),
      // What only the operator can give: nobody need start the node again for it.
      awaitedKeys: [...sealedKeys.values()]
        .filter(({ value }) => value === undefined)
        .map(({ name }) => name),
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
    return isRunning(id)
      ? refuse(reply, badRequest('This request is still being answered.', null, 'request_running', 404))
      : refuse(reply, badRequest('There is no receipt of this request.', null, 'receipt_not_found', 404))
  })

  app.get('/v1/proofs/:id', async (request: FastifyRequest<{ Params: { id: string } }>, reply) => {
    const found = receipts.proofs.find(request.params.id.toLowerCase() as Hex)
    const refused = (message: string, code: string) => refuse(reply, badRequest(message, null, code, 404))
    if (found === undefined) return refused('Nothing is to be proved under this id.', 'proof_not_found')
    if (found.proven === undefined) return refused('The proof is being made.', 'proof_pending')
    const card = [...models.values()].find(({ modelId }) => modelId === found.modelId)?.engine.prover?.card
    if (card === undefined) return refused('The model is not served here any more.', 'proof_not_found')
    reply.header('cache-control', 'public, max-age=31536000, immutable')
    const attachment = proofAttachmentToJson({ card, ...found.proven, ...found.bodies })
    return reply.type(JSON_TYPE).send(Buffer.from(canonicalJsonBytes(attachment)))
  })
}
