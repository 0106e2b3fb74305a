import type { NetworkModel } from '@assay/protocol'
import type { AnswerName } from '@assay/store'
import type { CheckedPayment } from '@assay/verify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { type DialectError, RefusedError } from '../http/dialectError.ts'
import { termsOf, withdraw } from '../payment/admit.ts'
import { encodeCollect } from '../payment/collectArgument.ts'
import { shortfallOf } from '../payment/covered.ts'
import { beyondFleet } from '../payment/fleetAllowance.ts'
import { paymentRequired } from '../payment/offer.ts'
import type { Route } from '../routing/route.ts'
import { requireHeld } from './exchange.ts'
import { relay } from './relay.ts'

export type Claiming = {
  payment: CheckedPayment
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

/**
 * Claims an admitted payment for this request and relays it. While the node is at work the chain is asked whether it still
 * takes the nonce, and the claim is on its way to a PostgreSQL server that has just answered.
 * @throws RefusedError 409 where it is in use and no node was asked
 */
export async function claimAndRelay(
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  { payment, model, route, requestHash, body, name, maximum, arrivedAt, trace }: Claiming,
): Promise<void> {
  const { requestId } = payment
  const expected = {
    requestId,
    payer: payment.payer,
    committer: context.committer,
    modelId: model.modelId,
    requestHash,
    authorised: payment.amount,
  }
  const nonceUnused = context.freshNonces.unused(payment)
  // Awaited later, by the relay; a request that ends before that must not leave a rejection unhandled.
  nonceUnused.catch(() => {})
  const claimed = context.claims.claim({
    requestId,
    payer: payment.payer,
    scheme: payment.schemeId,
    authorised: payment.amount,
    expiresAt: payment.expiresAt,
    collect: encodeCollect(payment),
    modelId: model.modelId,
    nodeUrl: route.node.url,
    requestHash,
    trace,
  })
  const held = claimed.then((isClaimed) => (isClaimed ? undefined : withdraw(context, requestId)))
  held.catch(() => {})
  if (reply.raw.destroyed || !context.claims.mayFollow()) await requireClaim(context, requestId, held)
  context.metrics.count('requests_total')
  if (reply.raw.destroyed) {
    // Gone before anything was sent: nothing to pay for.
    await context.end(requestId, 'released')
    context.inFlight.delete(requestId)
    return
  }
  reply.hijack()
  await relay(context, request.raw, reply.raw, {
    route,
    expected,
    scheme: payment.schemeId,
    payableUntil: payment.expiresAt,
    held,
    refusal: whyNot(context, payment, {
      claimed,
      nonceUnused,
      maximum,
      url: `${context.network.gatewayUrl}${request.url}`,
    }),
    body,
    name,
    arrivedAt,
  })
}

/** Waits for a claim before any node is asked. @throws RefusedError 409 where the payment is in use */
async function requireClaim(
  context: Context,
  requestId: Hex,
  held: Promise<DialectError | undefined>,
): Promise<void> {
  try {
    await requireHeld({ held })
  } catch (error) {
    // Whether it was written is not known, so it is taken back as soon as the database answers again.
    if (!(error instanceof RefusedError)) await context.end(requestId, 'released')
    context.inFlight.delete(requestId)
    throw error
  }
}

/** What speaks against a payment that its own bytes do not show; asked while the node is already at work. */
async function whyNot(
  context: Context,
  payment: CheckedPayment,
  {
    claimed,
    nonceUnused,
    maximum,
    url,
  }: { claimed: Promise<boolean>; nonceUnused: Promise<boolean>; maximum: bigint; url: string },
): Promise<DialectError | undefined> {
  const [unused, [shortfall, beyond]] = await Promise.all([
    nonceUnused,
    // With this claim on record, of two gateways that count on the same money the one that looks last sees both.
    claimed.then(() =>
      Promise.all([shortfallOf(context, payment), beyondFleet(context, { ...payment, maximum })]),
    ),
  ])
  if (unused && shortfall === undefined) return beyond
  const refusal = unused
    ? { code: 'insufficient_funds', reason: shortfall as string }
    : { code: 'payment_used', reason: 'The nonce of this payment was used or cancelled on chain.' }
  return paymentRequired(termsOf(context), maximum, url, refusal)
}
