import { formatOpg } from '@assay/protocol'
import { findRequest, type RequestRow } from '@assay/store'
import { type CheckedPayment, checkPayment } from '@assay/verify'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { type DialectError, RefusedError } from '../http/dialectError.ts'
import { requireOwnPayer } from '../opengradient/requireOwnPayer.ts'
import { type OfferTerms, paymentRequired } from './offer.ts'

/**
 * Whether a PAYMENT-SIGNATURE header authorises what the request may cost: its bytes and its signer, nothing else.
 * @param maximum the quote, OPG base units.
 * @throws RefusedError 402 with fresh offers, whatever is wrong with the payment
 */
export async function authenticate(
  context: Context,
  header: string | undefined,
  maximum: bigint,
  url: string,
  carriesForeignKey = false,
): Promise<CheckedPayment> {
  const { network, committer } = context
  const terms = termsOf(context)
  if (header === undefined) {
    context.metrics.count('refused_total', 'payment_required')
    throw new RefusedError(paymentRequired(terms, maximum, url, undefined, carriesForeignKey))
  }
  const payment = await checkPayment({
    header,
    ...terms,
    escrow: network.contracts.InferenceEscrow,
    committer,
    minAmount: maximum,
    now: BigInt(Math.floor(Date.now() / 1000)),
  })
  if (payment.ok) {
    requireOwnPayer(network, payment.payer)
    return payment
  }
  context.metrics.count('refused_total', payment.code)
  const { code, reason } = payment
  throw new RefusedError(paymentRequired(terms, maximum, url, { code, reason }))
}

/**
 * Admits a request whose payment is authentic: it is not in use, and its payer can pay it beside what is open. It is in
 * `inFlight` and in the ledger from the moment of that judgement, so that two at once cannot count on the same money.
 * @throws RefusedError 402 with fresh offers; 409 while it pays for another request.
 */
export async function admit(
  context: Context,
  payment: CheckedPayment,
  maximum: bigint,
  url: string,
): Promise<void> {
  function refuse(code: string, reason: string): never {
    context.metrics.count('refused_total', code)
    throw new RefusedError(paymentRequired(termsOf(context), maximum, url, { code, reason }))
  }
  const funds = await context.funds.read(payment.payer)
  // No await from here to the reservation.
  // What it is to take for its answer stays set aside: shown again it would count twice, and refused then free it.
  if (context.inFlight.has(payment.requestId) || context.ledger.has(payment.requestId)) {
    const known = await findRequest(context.database, payment.requestId)
    throw new RefusedError(paymentUsed(context, payment.requestId, known))
  }
  const needed = context.ledger.openOf(payment.payer) + payment.amount
  if (funds.balance < needed) {
    refuse(
      'insufficient_funds',
      `The payer holds ${formatOpg(funds.balance)}; this and its open requests may take ${formatOpg(needed)}.`,
    )
  }
  if (payment.scheme === 'upto' && funds.allowance < needed) {
    refuse(
      'permit2_allowance',
      `Permit2 may move ${formatOpg(funds.allowance)} of the payer; ${formatOpg(needed)} is needed. Approve Permit2 once, or pay with exact.`,
    )
  }
  requireAllowance(context, [`payer:${payment.payer}`], payment.requestId, maximum)
  context.inFlight.add(payment.requestId)
  context.ledger.set(payment.requestId, payment.payer, payment.amount)
}

/** Counts a call against what its payer and its key may ask of this gateway. @throws RefusedError 429 */
export function requireAllowance(
  context: Context,
  subjects: readonly string[],
  requestId: string,
  maximum: bigint,
): void {
  const refusal = context.allowance.admit(subjects, requestId, maximum, performance.now())
  if (refusal === undefined) return
  context.metrics.count('refused_total', refusal.code)
  throw new RefusedError(refusal)
}

export function termsOf({ network, till }: Pick<Context, 'network' | 'till'>): OfferTerms {
  return { chainId: network.chainId, token: network.contracts.OPG, till }
}

/** Takes back what was admitted, of a request that does not have its payment. @returns what its client is told */
export async function withdraw(context: Context, requestId: Hex): Promise<DialectError> {
  context.ledger.release(requestId)
  // The chain shows what a payment was collected by, so whoever sends a used one need not be its payer.
  context.allowance.forget(requestId)
  // That another request has it is known, also where the database does not say any more what came of that one.
  const known = await findRequest(context.database, requestId).catch(() => undefined)
  return paymentUsed(context, requestId, known)
}

/** One payment pays for one request; a client that lost its answer finds the receipt under the request's id. */
function paymentUsed(
  { metrics }: Pick<Context, 'metrics'>,
  requestId: Hex,
  known: Pick<RequestRow, 'state'> | undefined,
): DialectError {
  metrics.count('refused_total', 'payment_used')
  const what = known?.state === 'finished' ? 'has already paid for an answer' : 'is already in use'
  return {
    status: 409,
    message: `This payment ${what}; its receipt is at GET /v1/receipts/${requestId}. Sign a new payment for a new request.`,
    type: 'invalid_request_error',
    code: 'payment_used',
    headers: { 'x-assay-request-id': requestId },
  }
}
