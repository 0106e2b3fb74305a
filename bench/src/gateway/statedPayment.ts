import { type Network, requestIdOf, SCHEME } from '@assay/protocol'
import type { Address, Hex } from 'viem'

export type StatedPayment = { requestId: Hex; payer: Address; amount: bigint; expiresAt: bigint }

/** What the header of an `exact` payment says, believed. */
export function statedPayment(header: string, { chainId, contracts }: Network): StatedPayment {
  const { payload } = JSON.parse(Buffer.from(header, 'base64').toString()) as {
    payload: { authorization: { from: Address; value: string; validBefore: string; nonce: Hex } }
  }
  const { from: payer, value, validBefore, nonce: paymentNonce } = payload.authorization
  const escrow = contracts.InferenceEscrow
  const requestId = requestIdOf({ chainId, escrow, payer, scheme: SCHEME.exact, paymentNonce })
  return { requestId, payer, amount: BigInt(value), expiresAt: BigInt(validBefore) - 1n }
}

/** Which call, and whose, the header of a grant says it pays for, believed. */
export function statedCall(header: string): Pick<StatedPayment, 'requestId' | 'payer'> {
  const pass = JSON.parse(Buffer.from(header, 'base64url').toString()) as {
    auth: { auth: { requestId: Hex } }
    grant: { payer: Address }
  }
  return { requestId: pass.auth.auth.requestId, payer: pass.grant.payer }
}
