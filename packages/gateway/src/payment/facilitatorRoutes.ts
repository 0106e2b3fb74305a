import { toBase64 } from '@assay/protocol'
import { findRequest } from '@assay/store'
import { checkPayment } from '@assay/verify'
import { BAZAAR } from '@x402/extensions/bazaar'
import { PAYMENT_IDENTIFIER } from '@x402/extensions/payment-identifier'
import type { FastifyInstance } from 'fastify'
import type { Context } from '../context.ts'

/**
 * The read half of an x402 facilitator for this gateway's own till: what it takes, and whether a payment would be taken.
 * There is no `/settle`: escrow collects after the answer, and only what the receipt says.
 */
export function facilitatorRoutes(server: FastifyInstance, context: Context): void {
  const { network, till, committer } = context
  const caip2 = `eip155:${network.chainId}`

  server.get('/facilitator/supported', async () => ({
    kinds: [
      {
        x402Version: 2,
        scheme: 'upto',
        network: caip2,
        extra: { assetTransferMethod: 'permit2', facilitatorAddress: till },
      },
      { x402Version: 2, scheme: 'exact', network: caip2, extra: { assetTransferMethod: 'eip3009' } },
    ],
    extensions: [PAYMENT_IDENTIFIER, BAZAAR.key],
    signers: { 'eip155:*': [till] },
  }))

  server.post('/facilitator/verify', async (request) => {
    const { payload, minAmount } = readVerify(request.body)
    if (payload === undefined) return { isValid: false, invalidReason: 'payment_malformed' }
    const payment = await checkPayment({
      header: toBase64(new TextEncoder().encode(JSON.stringify(payload))),
      chainId: network.chainId,
      token: network.contracts.OPG,
      escrow: network.contracts.InferenceEscrow,
      till,
      committer,
      minAmount,
      now: BigInt(Math.floor(Date.now() / 1000)),
    })
    if (!payment.ok) return { isValid: false, invalidReason: payment.code, invalidMessage: payment.reason }
    const { payer } = payment
    const [funds, unused, known] = await Promise.all([
      context.funds.read(payer),
      context.chain.nonceUnused(payment),
      findRequest(context.database, payment.requestId),
    ])
    const needed = context.ledger.openOf(payer) + payment.amount
    const taken =
      context.inFlight.has(payment.requestId) || (known !== undefined && known.state !== 'released')
    if (taken || !unused) return { isValid: false, invalidReason: 'payment_used', payer }
    if (funds.balance < needed) return { isValid: false, invalidReason: 'insufficient_funds', payer }
    if (payment.scheme === 'upto' && funds.allowance < needed) {
      return { isValid: false, invalidReason: 'permit2_allowance', payer }
    }
    return { isValid: true, payer }
  })
}

function readVerify(body: unknown): { payload: unknown; minAmount: bigint } {
  try {
    const value = JSON.parse(new TextDecoder().decode(body as Uint8Array))
    const amount = value?.paymentRequirements?.amount
    if (typeof amount !== 'string' || !/^[0-9]{1,39}$/.test(amount))
      return { payload: undefined, minAmount: 0n }
    return { payload: value.paymentPayload, minAmount: BigInt(amount) }
  } catch {
    return { payload: undefined, minAmount: 0n }
  }
}
