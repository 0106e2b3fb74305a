import { randomBytes } from 'node:crypto'
import { type Network, OPG_DOMAIN, requestIdOf, SCHEME } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { AUTHORISATION_TYPES } from '../faults/payments.ts'

type Offer = { scheme: string; amount: string; payTo: Address; maxTimeoutSeconds: number }

/** Signs an `exact` payment by hand, with a nonce of the caller's choice, which no ordinary client allows. */
export async function payExactly(
  on: Network,
  privateKey: Hex,
  text: string,
  nonce: Hex,
): Promise<Record<string, string>> {
  const payer = privateKeyToAccount(privateKey)
  const unpaid = await post(on, text)
  const header = unpaid.headers.get('PAYMENT-REQUIRED') ?? ''
  const { accepts, resource } = JSON.parse(Buffer.from(header, 'base64').toString()) as {
    accepts: Offer[]
    resource: object
  }
  const accepted = accepts.find((offer) => offer.scheme === 'exact')
  if (accepted === undefined) throw new Error('the gateway offers exact')
  const now = Math.floor(Date.now() / 1000)
  const authorization = {
    from: payer.address,
    to: accepted.payTo,
    value: accepted.amount,
    validAfter: String(now - 60),
    validBefore: String(now + accepted.maxTimeoutSeconds),
    nonce,
  }
  const signature = await payer.signTypedData({
    domain: { ...OPG_DOMAIN, chainId: on.chainId, verifyingContract: on.contracts.OPG },
    primaryType: 'TransferWithAuthorization',
    types: AUTHORISATION_TYPES,
    message: {
      ...authorization,
      value: BigInt(authorization.value),
      validAfter: BigInt(authorization.validAfter),
      validBefore: BigInt(authorization.validBefore),
    },
  })
  const payload = { x402Version: 2, resource, accepted, payload: { signature, authorization } }
  return { 'payment-signature': Buffer.from(JSON.stringify(payload)).toString('base64') }
}

/** A chat call whose answer is read whole, whatever it is. */
export async function post(
  on: Network,
  text: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await fetch(`${on.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

export const freshNonce = (): Hex => `0x${randomBytes(32).toString('hex')}`

export function exactRequestId(on: Network, payer: Address, paymentNonce: Hex): Hex {
  return requestIdOf({
    chainId: on.chainId,
    escrow: on.contracts.InferenceEscrow,
    payer,
    scheme: SCHEME.exact,
    paymentNonce,
  })
}
