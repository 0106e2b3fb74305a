import { errorBody, MAX_PROVIDER_KEY_BYTES, PROVIDER_KEYS_PATH } from '@assay/protocol'
import type { FastifyInstance } from 'fastify'
import { openSealed } from './openSealed.ts'
import { rawRequestOf } from './rawRequest.ts'
import { refuse } from './refuse.ts'
import { SealedSink } from './sealedSink.ts'
import { JSON_TYPE } from './serve.ts'
import type { StartServerParameters } from './startServer.ts'
import { takeProviderKey } from './takeProviderKey.ts'

/** Room for what encryption puts around a key. */
const ENVELOPE_BYTES = 2048

/** Where the operator gives the enclave keys of providers; question and answer are encrypted. */
export function providerKeyRoute(app: FastifyInstance, parameters: StartServerParameters): void {
  const { operator, deployment, confidential, log, sealedKeys = new Map() } = parameters
  const bodyLimit = MAX_PROVIDER_KEY_BYTES + ENVELOPE_BYTES
  app.post(PROVIDER_KEYS_PATH, { bodyLimit }, async (request, reply) => {
    const opened = await openSealed(confidential(), rawRequestOf(request.raw, request.body))
    if ('error' in opened) return refuse(reply, opened.error)
    const taken = await takeProviderKey(opened, { operator, deployment, sealedKeys })
    const isRefused = 'error' in taken
    if (!isRefused) log('provider_key_taken', taken)
    reply.hijack()
    const sink = new SealedSink(reply.raw, opened.sealer)
    sink.writeHead(isRefused ? taken.error.status : 200, { 'content-type': JSON_TYPE }, isRefused)
    const body = isRefused ? errorBody(taken.error, PROVIDER_KEYS_PATH) : JSON.stringify(taken)
    sink.end(new TextEncoder().encode(body), () => undefined)
    return reply
  })
}
