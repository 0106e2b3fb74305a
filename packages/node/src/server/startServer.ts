import { traceExchange } from '@assay/chain/tracing'
import { CONFIDENTIAL_PATH, type Deployment, type SignedReceipt, toBase64 } from '@assay/protocol'
import type { FastifyReply } from 'fastify'
import type { Address, Hex } from 'viem'
import type { NodeChain } from '../chain/nodeChain.ts'
import { badRequest } from '../dialects/refusal.ts'
import type { Enclave } from '../enclaves/enclave.ts'
import type { EvidenceStore } from '../enclaves/evidenceStore.ts'
import type { SealedKey } from '../engines/upstream/sealedKey.ts'
import type { ConfidentialKey } from '../keyRing.ts'
import type { OpenGradientRoom } from '../opengradient/room.ts'
import type { ReceiptStore } from '../receiptStore.ts'
import type { ReceiptParameters } from '../signReceipt.ts'
import { createAnswering } from './answering.ts'
import { countTokens } from './countTokens.ts'
import { createApp } from './createApp.ts'
import { infoRoutes } from './infoRoutes.ts'
import { providerKeyRoute } from './providerKeyRoute.ts'
import { goneSignal } from './rawRequest.ts'
import { refuse } from './refuse.ts'
import { JSON_TYPE } from './serve.ts'
import type { ServedModel } from './servedModel.ts'

/** A request that has not arrived by then is dropped, ms. */
const REQUEST_TIMEOUT_MS = 30_000

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
  /** Keys of providers that are given to the enclave while it runs, by name. */
  sealedKeys?: ReadonlyMap<string, SealedKey> | undefined
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
  silenceMs?: number | undefined
}

export type NodeServer = { url: string; close: () => Promise<void> }

/** The node's HTTP surface on 127.0.0.1. */
export async function startServer(parameters: StartServerParameters): Promise<NodeServer> {
  const { confidential, models, openGradient, log, requestTimeoutMs = REQUEST_TIMEOUT_MS } = parameters
  const app = createApp(requestTimeoutMs, log)
  const answering = createAnswering(parameters)

  infoRoutes(app, parameters, answering.isRunning)
  for (const [path, dialect] of Object.entries(answering.dialects)) {
    app.post(path, (request, reply) => {
      traceExchange(request.raw, reply.raw)
      return answering.answer(dialect, request, reply)
    })
  }
  openGradient?.routes(app, refuse)

  // Its id is known to nobody but the caller and who serves him, until the receipt is out.
  app.post<{ Params: { id: Hex } }>('/v1/requests/:id/stop', (request, reply) =>
    answering.stop(request.params.id)
      ? reply.code(202).send()
      : refuse(reply, badRequest('No such request runs here.', null, 'not_found', 404)),
  )

  const noEnclave = (reply: FastifyReply): FastifyReply =>
    refuse(reply, badRequest('There is no enclave here that could be encrypted to.', null, 'not_found', 404))
  app.post(CONFIDENTIAL_PATH, (request, reply) => {
    traceExchange(request.raw, reply.raw)
    return confidential().length === 0 ? noEnclave(reply) : answering.answerSealed(request, reply)
  })
  app.get(CONFIDENTIAL_PATH, async (_request, reply) => {
    const [first] = confidential()
    if (first === undefined) return noEnclave(reply)
    return { key: first.key, ohttpKey: toBase64(first.ohttp.config), simulated: first.simulated }
  })

  providerKeyRoute(app, parameters)

  app.post('/v1/messages/count_tokens', async (request, reply) => {
    const raw = answering.accept(request, reply)
    if (raw === undefined) return reply
    const counted = await countTokens(raw, models, goneSignal(reply.raw))
    return 'error' in counted ? refuse(reply, counted.error) : reply.type(JSON_TYPE).send(counted)
  })

  await app.listen({ host: '127.0.0.1', port: parameters.port })
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : parameters.port
  return { url: `http://127.0.0.1:${port}`, close: () => app.close() }
}
