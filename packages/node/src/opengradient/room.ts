import type { Network, OpenGradientProfile } from '@assay/protocol'
import { type SignedOutput, teeFields, teeMessage, teeOutputHash } from '@assay/protocol/opengradient'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Hex } from 'viem'
import type { Dialect } from '../dialects/dialect.ts'
import { badRequest } from '../dialects/refusal.ts'
import type { Enclave } from '../enclaves/enclave.ts'
import type { TeeKey } from '../enclaves/teeKey.ts'
import { openGradientDialects } from './dialect.ts'
import { HEARTBEAT_SECONDS, type TeeListing } from './listTee.ts'

export type OpenGradientRoomParameters = {
  network: Network
  profile: OpenGradientProfile
  /** The enclave of now, once it booted. */
  enclave: () => Enclave | undefined
  listing: () => TeeListing | undefined
}

/** What the node's server does beyond its own under the profile `opengradient`. */
export type OpenGradientRoom = {
  dialects: Readonly<Record<string, Dialect>>
  routes: (
    app: FastifyInstance,
    refuse: (reply: FastifyReply, error: ReturnType<typeof badRequest>) => FastifyReply,
  ) => void
}

/** Characters of a nonce: 20 bytes in hex, as the nitriding daemon wants it. */
const NONCE = /^[0-9a-f]{40}$/i
const TEE_VERSION = '1.0.0'

/** Dialects that sign, and the routes under which OpenGradient's clients learn the key. */
export function openGradientRoom(parameters: OpenGradientRoomParameters): OpenGradientRoom {
  const { profile, enclave, listing } = parameters

  function keyOfNow(): TeeKey {
    const key = enclave()?.tee
    if (key === undefined)
      throw new Error('unreachable: a server under the profile answers once its enclave booted')
    return key
  }

  function sign(requestHash: Hex, output: SignedOutput) {
    const key = keyOfNow()
    const signed = {
      requestHash,
      outputHash: teeOutputHash(output),
      timestamp: Math.floor(Date.now() / 1000),
    }
    return teeFields({ ...signed, teeId: key.id, signature: key.sign(teeMessage(signed)) })
  }

  return {
    dialects: openGradientDialects(sign),
    routes(app, refuse) {
      const unready = (reply: FastifyReply) =>
        refuse(reply, badRequest('The enclave has not booted yet.', null, 'not_ready', 503))

      app.get('/signing-key', async (_request, reply) => {
        const now = enclave()
        if (now?.tee === undefined) return unready(reply)
        const { tee, key, hardware, simulated, measurement } = now
        return {
          public_key: tee.pem,
          tee_id: tee.id,
          wallet_address: key,
          timestamp: new Date().toISOString(),
          enclave_info: { platform: hardware, instance_type: 'tee-enabled', version: TEE_VERSION, simulated },
          measurements: { measurement },
        }
      })

      app.get('/heartbeat/status', async (_request, reply) => {
        const now = enclave()
        const status = listing()?.status()
        if (now?.tee === undefined) return unready(reply)
        if (status === undefined) return { enabled: false }
        return {
          enabled: true,
          running: true,
          tee_id: now.tee.id,
          registry: profile.registry,
          wallet: now.key,
          relay_mode: 'operator',
          interval_seconds: HEARTBEAT_SECONDS,
          total_sent: status.sent,
          total_errors: status.errors,
          last_success_timestamp: status.lastSuccess,
          last_tx_hash: status.lastTransaction,
          last_error: status.lastError,
        }
      })

      app.get(
        '/enclave/attestation',
        async (request: FastifyRequest<{ Querystring: { nonce?: string } }>, reply) => {
          const now = enclave()
          if (now?.tee === undefined) return unready(reply)
          const { nonce } = request.query
          if (typeof nonce !== 'string' || !NONCE.test(nonce)) {
            return refuse(reply, badRequest('`nonce` must be 40 hex digits.', 'nonce', 'invalid_value'))
          }
          const document = await now.attestTee?.(`0x${nonce.toLowerCase()}`)
          if (document === undefined) {
            const message = `Only Nitro gives documents over a nonce; this is ${now.hardware}. Its evidence: GET /v1/evidence/<hash>.`
            return refuse(reply, badRequest(message, null, 'not_found', 404))
          }
          return reply.type('text/plain').send(Buffer.from(document).toString('base64'))
        },
      )
    },
  }
}
