import {
  encodeGrantHeader,
  GRANT_HEADER,
  GRANT_LEEWAY_SECONDS,
  grantRequestId,
  type NetworkModel,
  requestAuthDigest,
  SCHEME,
} from '@assay/protocol'
import type { AnswerName, NewGrantCall, Reservation } from '@assay/store'
import { type GrantAccount, grantRefusal } from '@assay/verify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { type DialectError, RefusedError } from '../http/dialectError.ts'
import { requireAllowance } from '../payment/admit.ts'
import { beyondFleet } from '../payment/fleetAllowance.ts'
import { relay } from '../relay/relay.ts'
import type { Route } from '../routing/route.ts'
import { type Credential, keyRevoked } from './credential.ts'
import { refusedByGrant, refusedReservation } from './refusals.ts'

export type GrantedRequest = {
  credential: Credential
  model: NetworkModel
  route: Route
  requestHash: Hex
  body: Uint8Array
  name?: AnswerName | undefined
  /** The quote, OPG base units. */
  maximum: bigint
  /** Of the request's arrival, `performance.now()`. */
  arrivedAt: number
  /** W3C traceparent, where the call is traced. */
  trace: string | undefined
}

/** Seconds for which a node takes the gateway's word on a call. */
const AUTH_LIFETIME_SECONDS = 60n

/** Sets a call's highest price aside under its grant and relays it. @throws RefusedError 4xx with the reason */
export async function relayUnderGrant(
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  granted: GrantedRequest,
): Promise<void> {
  const { credential, model, route, requestHash, body, name, maximum, arrivedAt } = granted
  const { grantId, grant } = credential
  const { counter, requestId } = await reserve(context, granted)
  context.inFlight.add(requestId)
  context.metrics.count('requests_total')
  const auth = {
    requestId,
    requestHash,
    modelId: model.modelId,
    maxPrice: maximum,
    committer: context.committer,
    deadline: now() + AUTH_LIFETIME_SECONDS,
  }
  try {
    if (name !== undefined) await context.names.bind(name, requestId)
    const subjects = [`key:${credential.keyHash}`, `payer:${grant.payer}`]
    requireAllowance(context, subjects, requestId, maximum)
    const signature = await context.sign(requestAuthDigest(auth, context.deployment))
    // Gone before anything was sent: nothing to pay for.
    if (reply.raw.destroyed) throw new Error('The client is gone.')
    reply.hijack()
    await relay(context, request.raw, reply.raw, {
      route,
      expected: {
        requestId,
        payer: grant.payer,
        committer: context.committer,
        modelId: model.modelId,
        requestHash,
        authorised: maximum,
      },
      scheme: SCHEME.grant,
      payableUntil: grant.expiry + GRANT_LEEWAY_SECONDS,
      grant: { id: grantId, counter },
      held: Promise.resolve(true),
      refusal: whyNoLonger(context, granted, requestId),
      headers: { [GRANT_HEADER]: encodeGrantHeader({ grant, counter, auth: { auth, signature } }) },
      body,
      name,
      arrivedAt,
    })
  } catch (error) {
    // `relay` answers for all that goes wrong inside it; what ends here was never sent.
    context.inFlight.delete(requestId)
    await context.end(requestId, 'released')
    if (!reply.raw.destroyed) throw error
    context.log('client_gone', { requestId, grantId })
  }
}

async function reserve(
  context: Context,
  granted: GrantedRequest,
): Promise<Extract<Reservation, { reserved: true }>> {
  const { grantId } = granted.credential
  const first = await tryReserve(context, granted, await context.grantAccountOf(grantId))
  if (first.reserved) return first
  // What was paid in a moment ago is worth a second look before anybody is turned away.
  const again = await tryReserve(context, granted, await context.chain.grantAccount(grantId))
  if (again.reserved) return again
  context.metrics.count('refused_total', again.error.code)
  throw new RefusedError(again.error)
}

async function tryReserve(
  context: Context,
  { credential, model, route: { node }, requestHash, maximum, trace }: GrantedRequest,
  account: GrantAccount,
): Promise<Extract<Reservation, { reserved: true }> | { reserved: false; error: DialectError }> {
  const { grantId, keyHash, grant } = credential
  const call = { modelId: model.modelId, node: node.operator, price: maximum, at: now() }
  const refusal = grantRefusal(grant, account, call)
  if (refusal !== undefined) return { reserved: false, error: refusedByGrant(refusal) }
  const item: NewGrantCall = {
    grantId,
    keyHash,
    payer: grant.payer,
    scheme: SCHEME.grant,
    maximum,
    funded: account.funded,
    spentOnChain: account.spent,
    expiresAt: grant.expiry,
    collect: '{}',
    modelId: model.modelId,
    nodeUrl: node.url,
    requestHash,
    instance: context.instance,
    trace,
    requestIdOf: (counter) =>
      grantRequestId({
        chainId: context.network.chainId,
        escrow: context.network.contracts.InferenceEscrow,
        payer: grant.payer,
        grant: { id: grantId, counter },
      }),
  }
  const reservation = await context.reserve(item)
  if (reservation.reserved) return reservation
  if (reservation.why === 'revoked') {
    // By another gateway, since the key was last looked at here.
    context.keys.forget(keyHash)
    throw keyRevoked(context)
  }
  return { reserved: false, error: refusedReservation(reservation, maximum) }
}

/** What the chain says now, while the node is already at work: a grant that was revoked pays for no new call. */
async function whyNoLonger(
  context: Context,
  { credential, model, route, maximum }: GrantedRequest,
  requestId: Hex,
): Promise<DialectError | undefined> {
  const { payer } = credential.grant
  const [account, beyond] = await Promise.all([
    context.chain.grantAccount(credential.grantId),
    beyondFleet(context, { requestId, payer, maximum }),
  ])
  const call = { modelId: model.modelId, node: route.node.operator, price: maximum, at: now() }
  const refusal = grantRefusal(credential.grant, account, call)
  return refusal === undefined ? beyond : refusedByGrant(refusal)
}

const now = () => BigInt(Math.floor(Date.now() / 1000))
