import {
  encodeGrantHeader,
  GRANT_HEADER,
  GRANT_LEEWAY_SECONDS,
  grantRequestId,
  type NetworkModel,
  requestAuthDigest,
  SCHEME,
} from '@assay/protocol'
import { type AnswerName, UNKNOWN_GRANT } from '@assay/store'
import { type GrantAccount, grantRefusal } from '@assay/verify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { type DialectError, RefusedError } from '../http/dialectError.ts'
import { requireAllowance } from '../payment/admit.ts'
import { beyondFleet } from '../payment/fleetAllowance.ts'
import { requireHeld } from '../relay/exchange.ts'
import { relay } from '../relay/relay.ts'
import type { Route } from '../routing/route.ts'
import type { Credential } from './credential.ts'
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

/** Where a call stands under its grant, and its id there. */
type Place = { counter: bigint; requestId: Hex }

/** Seconds for which a node takes the gateway's word on a call. */
const AUTH_LIFETIME_SECONDS = 60n

/**
 * Sets a call's highest price aside under its grant and relays it. Where the grant's last call was set aside and its server
 * has just answered, the node begins while that is on its way.
 * @throws RefusedError 4xx with the reason, where no node was asked
 */
export async function relayUnderGrant(
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  granted: GrantedRequest,
): Promise<void> {
  const { credential, model, route, requestHash, body, name, maximum, arrivedAt } = granted
  const { grantId, grant, keyHash } = credential
  const account = await payingAccount(context, granted)
  const { counter, requestId } = await takePlace(context, granted)
  requireAllowance(context, [`key:${keyHash}`, `payer:${grant.payer}`], requestId, maximum)
  context.inFlight.add(requestId)
  const held = setAside(context, granted, { counter, requestId }, account)
  held.catch(() => {})
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
    const signature = await context.sign(requestAuthDigest(auth, context.deployment))
    if (reply.raw.destroyed || !context.places.mayFollow(grantId)) await requireHeld({ held })
    context.metrics.count('requests_total')
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
      held,
      refusal: whyNoLonger(context, granted, { requestId, held }),
      headers: { [GRANT_HEADER]: encodeGrantHeader({ grant, counter, auth: { auth, signature } }) },
      body,
      name,
      arrivedAt,
    })
  } catch (error) {
    // `relay` answers for all that goes wrong inside it; what ends here was never sent.
    const isRefused = await held.then(Boolean, () => false)
    if (!isRefused) await context.end(requestId, 'released')
    context.inFlight.delete(requestId)
    if (isRefused || !reply.raw.destroyed) throw error
    context.log('client_gone', { requestId, grantId })
  }
}

/** What the grant's account holds, where the grant allows the call. @throws RefusedError */
async function payingAccount(context: Context, granted: GrantedRequest): Promise<GrantAccount> {
  const { grantId } = granted.credential
  const known = await context.grantAccountOf(grantId)
  if (refusalBy(known, granted) === undefined) return known
  // What was opened or paid in a moment ago is worth a second look before anybody is turned away.
  const seen = await context.chain.grantAccount(grantId)
  const refusal = refusalBy(seen, granted)
  if (refusal === undefined) return seen
  context.metrics.count('refused_total', refusal.code)
  throw new RefusedError(refusal)
}

/** Why the grant, as the chain shows it, does not allow the call. */
function refusalBy(
  account: GrantAccount,
  { credential, model, route, maximum }: GrantedRequest,
): DialectError | undefined {
  const call = { modelId: model.modelId, node: route.node.operator, price: maximum, at: now() }
  const refusal = grantRefusal(credential.grant, account, call)
  return refusal && refusedByGrant(refusal)
}

/** @throws RefusedError where the database knows no such grant */
async function takePlace(
  context: Context,
  { credential: { grantId, grant }, maximum }: GrantedRequest,
): Promise<Place> {
  const counter = await context.places.take(grantId)
  if (counter === undefined) {
    const refusal = refusedReservation(UNKNOWN_GRANT, maximum)
    context.metrics.count('refused_total', refusal.code)
    throw new RefusedError(refusal)
  }
  const requestId = grantRequestId({
    chainId: context.network.chainId,
    escrow: context.network.contracts.InferenceEscrow,
    payer: grant.payer,
    grant: { id: grantId, counter },
  })
  return { counter, requestId }
}

/** Sets the call's highest price aside in its place. @returns why it cannot; then the call counts no more. */
async function setAside(
  context: Context,
  granted: GrantedRequest,
  place: Place,
  account: GrantAccount,
): Promise<DialectError | undefined> {
  const refusal = await whyNotReserved(context, granted, place, account)
  if (refusal === undefined) return undefined
  context.allowance.forget(place.requestId)
  context.metrics.count('refused_total', refusal.code)
  return refusal
}

async function whyNotReserved(
  context: Context,
  granted: GrantedRequest,
  place: Place,
  account: GrantAccount,
): Promise<DialectError | undefined> {
  const { credential, model, route, requestHash, maximum, trace } = granted
  const { grantId, keyHash, grant } = credential
  const reserve = ({ funded, spent }: GrantAccount) =>
    context.places.reserve({
      ...place,
      grantId,
      keyHash,
      payer: grant.payer,
      scheme: SCHEME.grant,
      authorised: maximum,
      funded,
      spentOnChain: spent,
      expiresAt: grant.expiry,
      collect: '{}',
      modelId: model.modelId,
      nodeUrl: route.node.url,
      requestHash,
      trace,
    })
  let refused = await reserve(account)
  if (refused !== undefined && refused.why !== 'revoked') {
    // A second look, as above; in the same place, for a node may have been told of it.
    const seen = await context.chain.grantAccount(grantId)
    const refusal = refusalBy(seen, granted)
    if (refusal !== undefined) return refusal
    refused = await reserve(seen)
  }
  // By another gateway, since the key was last looked at here.
  if (refused?.why === 'revoked') context.keys.forget(keyHash)
  return refused && refusedReservation(refused, maximum)
}

/** What the chain says now, while the node is already at work: a grant that was revoked pays for no new call. */
async function whyNoLonger(
  context: Context,
  granted: GrantedRequest,
  { requestId, held }: Pick<Place, 'requestId'> & { held: Promise<unknown> },
): Promise<DialectError | undefined> {
  const { credential, maximum } = granted
  const { payer } = credential.grant
  const [account, beyond] = await Promise.all([
    context.chain.grantAccount(credential.grantId),
    // On record, of two calls at once the one that looks last sees both.
    held.then(() => beyondFleet(context, { requestId, payer, maximum })),
  ])
  return refusalBy(account, granted) ?? beyond
}

const now = () => BigInt(Math.floor(Date.now() / 1000))
