import {
  API_KEY_PREFIX,
  apiKeyDigest,
  canonicalJson,
  formatOpg,
  grantFromJson,
  grantIdOf,
  grantToJson,
  type Json,
  larger,
  readBoolean,
  readBytes,
  readObject,
  recoverSigner,
  type SpendingGrant,
  smaller,
} from '@assay/protocol'
import { addApiKey, grantDebits, grantUsage, MAX_API_KEYS, revokeApiKey } from '@assay/store'
import type { FastifyInstance } from 'fastify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'
import { requireOwnPayer } from '../opengradient/requireOwnPayer.ts'

const MAX_DEBITS = 200

/** Keys under grants that payers opened, and what was spent under each. */
export function grantRoutes(server: FastifyInstance, context: Context): void {
  const { deployment, committer, database } = context

  /**
   * Takes a key, or takes it back. The client makes the key and sends its hash alone, under the payer's signature, so
   * the key itself goes over no wire before its first use, and whoever repeats the request gains nothing.
   */
  server.post('/v1/grants', async (request, reply) => {
    const { grant, statement, signature } = readKeyRequest(request.body, deployment)
    if (grant.gateway !== committer) {
      throw refusal(
        400,
        'grant_of_other_gateway',
        `The grant is for ${grant.gateway}; this gateway is ${committer}.`,
      )
    }
    const signer = await recoverSigner(apiKeyDigest(statement, deployment), signature).catch(() => undefined)
    if (signer !== grant.payer) {
      throw refusal(
        403,
        'invalid_signature',
        'The statement about the key is not signed by the payer of the grant.',
      )
    }
    requireOwnPayer(context.network, grant.payer)
    const { grantId, keyHash, allowed } = statement
    if (!allowed) {
      const revoked = await revokeApiKey(database, grantId, keyHash)
      context.keys.forget(keyHash)
      if (!revoked) {
        throw refusal(404, 'not_found', 'This gateway knows no such key under this grant.')
      }
      context.log('api_key_revoked', { grantId })
      return { grantId, keyHash, allowed }
    }
    if (grant.expiry <= BigInt(Math.floor(Date.now() / 1000))) {
      throw refusal(400, 'grant_expired', 'The grant has ended; only a new grant can pay.')
    }
    const account = await context.chain.grantAccount(grantId)
    if (!account.opened || account.revokedAt !== 0n) {
      const what = account.opened
        ? 'was revoked'
        : 'is not open yet; its payer opens it with SpendingGrants.open'
      throw refusal(409, account.opened ? 'grant_revoked' : 'grant_not_open', `The grant ${what}.`)
    }
    const { payer, maxTotal, ratePerHour } = grant
    const stored = { grantId, payer, terms: canonicalJson(grantToJson(grant)), maxTotal, ratePerHour }
    if (!(await addApiKey(database, stored, keyHash))) {
      const message = `The grant has ${MAX_API_KEYS} keys, which is the most. Open another grant.`
      throw refusal(409, 'too_many_keys', message)
    }
    context.log('api_key_added', { grantId, payer })
    return reply.code(201).send({ grantId, keyHash, allowed, keyPrefix: API_KEY_PREFIX, trust: trust(grant) })
  })

  /** Public, as the chain and the batch files are that it follows from. */
  server.get<{ Params: { id: string } }>('/v1/grants/:id', async (request) => {
    const { id, usage } = await usageOf(request.params.id)
    const grant = grantFromJson(JSON.parse(usage.terms))
    // From the cache: whoever asks often must not make the chain be asked as often.
    const account = await context.grantAccountOf(id)
    const spent = larger(usage.spent, account.spent)
    const left = smaller(grant.maxTotal, account.funded) - spent - usage.reserved
    return {
      grantId: id,
      grant: grantToJson(grant),
      // OPG base units: paid in, spent on recorded calls, of it settled on the chain, set aside for calls under way.
      funded: account.funded.toString(),
      spent: spent.toString(),
      settled: account.spent.toString(),
      reserved: usage.reserved.toString(),
      left: larger(left, 0n).toString(),
      calls: usage.calls,
      revokedAt: account.revokedAt.toString(),
      trust: trust(grant),
    }
  })

  server.get<{ Params: { id: string }; Querystring: { before?: string } }>(
    '/v1/grants/:id/calls',
    async (request) => {
      const { id } = await usageOf(request.params.id)
      const { before } = request.query
      if (before !== undefined && !/^[0-9]{1,18}$/.test(before)) {
        throw refusal(400, 'invalid_before', '`before` must be the counter of a call.')
      }
      const from = before === undefined ? 2n ** 63n - 1n : BigInt(before)
      const debits = await grantDebits(database, id, from, MAX_DEBITS)
      return {
        grantId: id,
        calls: debits.map(({ counter, requestId, state, modelId, amount, settled, at }) => ({
          counter: counter.toString(),
          requestId,
          state,
          modelId,
          amount: amount.toString(),
          settled,
          at: new Date(at).toISOString(),
        })),
        hasMore: debits.length === MAX_DEBITS,
      }
    },
  )

  async function usageOf(text: string) {
    const id = text.toLowerCase()
    const usage = /^0x[0-9a-f]{64}$/.test(id) ? await grantUsage(database, id) : undefined
    if (usage === undefined) throw refusal(404, 'not_found', 'This gateway serves no such grant.')
    return { id: id as Hex, usage }
  }
}

function trust({ gateway, maxTotal, expiry }: SpendingGrant): string {
  const until = new Date(Number(expiry) * 1000)
  const end = Number.isNaN(until.getTime()) ? String(expiry) : until.toISOString()
  return `The gateway ${gateway} can spend up to ${formatOpg(maxTotal)} of the deposit until ${end}, also on calls that nobody asked it for: a call with a key is not signed by its payer. Each debit is public.`
}

function readKeyRequest(body: unknown, deployment: Context['deployment']) {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body as Uint8Array)) as Json
    const members = readObject(value, 'body', ['grant', 'keyHash', 'signature'], ['allowed'])
    const grant = grantFromJson(members.grant)
    const keyHash = readBytes(members.keyHash, 'keyHash', 32)
    const allowed = members.allowed === undefined ? true : readBoolean(members.allowed, 'allowed')
    const signature = readBytes(members.signature, 'signature', 65)
    return { grant, statement: { grantId: grantIdOf(grant, deployment), keyHash, allowed }, signature }
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, 200) : ''
    throw refusal(400, 'malformed', `The body must be {grant, keyHash, signature, allowed?}: ${why}`)
  }
}

function refusal(status: number, code: string, message: string): RefusedError {
  return new RefusedError({ status, code, message, type: 'invalid_request_error' })
}
