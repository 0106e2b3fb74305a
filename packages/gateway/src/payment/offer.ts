import { API_KEY_PREFIX, formatOpg, OPG_DOMAIN } from '@assay/protocol'
import { encodePaymentRequiredHeader } from '@x402/core/http'
import type { PaymentRequired, PaymentRequirements } from '@x402/core/types'
import { declarePaymentIdentifierExtension, PAYMENT_IDENTIFIER } from '@x402/extensions/payment-identifier'
import { type Address, getAddress } from 'viem'
import type { DialectError } from '../http/dialectError.ts'

/** How long a payment stays good: the longest answer (`maxAnswerMs`), plus the time to collect after it, seconds. */
const PAYMENT_SECONDS = 1800

/** A client may name its request, and send it again under that name. */
const EXTENSIONS = { [PAYMENT_IDENTIFIER]: declarePaymentIdentifierExtension() }

export type OfferTerms = { chainId: number; token: Address; till: Address }

/** The two ways to pay, dearest promise first: `upto` takes only the price, `exact` takes all and credits the rest. */
export function paymentRequirements(terms: OfferTerms, maximum: bigint): PaymentRequirements[] {
  const till = getAddress(terms.till)
  const common = {
    network: `eip155:${terms.chainId}` as const,
    asset: getAddress(terms.token),
    amount: maximum.toString(),
    payTo: till,
    maxTimeoutSeconds: PAYMENT_SECONDS,
  }
  return [
    {
      ...common,
      scheme: 'upto',
      extra: { ...OPG_DOMAIN, assetTransferMethod: 'permit2', facilitatorAddress: till },
    },
    {
      ...common,
      scheme: 'exact',
      extra: { ...OPG_DOMAIN, assetTransferMethod: 'eip3009', facilitatorAddress: till },
    },
  ]
}

/**
 * A 402 in the dialect's shape with the x402 v2 header that stock clients read.
 * @param carriesForeignKey whether the request shows a key of somebody else's, as of one whose base URL alone was changed
 */
export function paymentRequired(
  terms: OfferTerms,
  maximum: bigint,
  url: string,
  refusal?: { code: string; reason: string },
  carriesForeignKey = false,
): DialectError {
  const key = carriesForeignKey ? `Its API key is none of ours, which begin with ${API_KEY_PREFIX}. ` : ''
  const required: PaymentRequired = {
    x402Version: 2,
    error: refusal?.reason ?? 'PAYMENT-SIGNATURE header is required',
    resource: { url, description: 'Verifiable inference, paid per answer.', mimeType: 'application/json' },
    accepts: paymentRequirements(terms, maximum),
    extensions: EXTENSIONS,
  }
  return {
    status: 402,
    message:
      refusal === undefined
        ? `This request costs at most ${formatOpg(maximum)}. ${key}Pay with x402 v2: the offers are in the PAYMENT-REQUIRED header. Or send a key that a grant pays for: assay wallet grant create`
        : `The payment was not accepted: ${refusal.reason}`,
    type: 'payment_required',
    code: refusal?.code ?? 'payment_required',
    headers: { 'PAYMENT-REQUIRED': encodePaymentRequiredHeader(required), 'cache-control': 'no-store' },
  }
}
