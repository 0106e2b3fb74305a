import type { NetworkModel } from '@assay/protocol'
import { endRequest } from '@assay/store'
import type { CheckedPayment } from '@assay/verify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import type { DialectError } from '../http/dialectError.ts'
import { paymentUsed } from '../payment/admit.ts'
import { encodeCollect } from '../payment/collectArgument.ts'
import { paymentRequired } from '../payment/offer.ts'
import type { Route } from '../routing/route.ts'
import { relay } from './relay.ts'

export type Claiming = {
  payment: CheckedPayment
  nonceUnused: Promise<boolean>
  model: NetworkModel
  route: Route
  requestHash: Hex
  body: Uint8Array
  /** The quote, OPG base units. */
  maximum: bigint
  /** Of the request's arrival, `performance.now()`. */
  arrivedAt: number
}

/** Claims an admitted payment for this request, durably, and relays it. @throws RefusedError 409 where it is in use */
export async function claimAndRelay(
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  { payment, nonceUnused, model, route, requestHash, body, maximum, arrivedAt }: Claiming,
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
  let claimed = false
  try {
    claimed = await context.claim({
      requestId,
      payer: payment.payer,
      scheme: payment.schemeId,
      authorised: payment.amount,
      expiresAt: payment.expiresAt,
      collect: encodeCollect(payment),
      modelId: model.modelId,
      nodeUrl: route.node.url,
      requestHash,
    })
  } finally {
    if (!claimed) {
      context.inFlight.delete(requestId)
      context.ledger.release(requestId)
    }
  }
  if (!claimed) throw await paymentUsed(context, requestId)
  context.metrics.count('requests_total')
  if (reply.raw.destroyed) {
    // Gone before anything was sent: nothing to pay for.
    await endRequest(context.database, requestId, 'released')
    context.ledger.release(requestId)
    context.inFlight.delete(requestId)
    return
  }
  reply.hijack()
  await relay(context, request.raw, reply.raw, {
    route,
    expected,
    scheme: payment.schemeId,
    refusal: nonceUnused.then((unused) => (unused ? undefined : nonceUsed(context, maximum, request.url))),
    body,
    arrivedAt,
  })
}

function nonceUsed(context: Context, maximum: bigint, path: string): DialectError {
  const terms = {
    chainId: context.network.chainId,
    token: context.network.contracts.OPG,
    till: context.till,
  }
  const reason = 'The nonce of this payment was used or cancelled on chain.'
  return paymentRequired(terms, maximum, path, { code: 'payment_used', reason })
}
