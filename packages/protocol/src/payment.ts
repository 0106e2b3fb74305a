import type { Address, Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { staticEncoder } from './staticEncoder.ts'
import { TAGS } from './tag.ts'

/** Payment schemes as they enter the request id (docs/spec.md §3). */
export const SCHEME = { exact: 1, upto: 2, grant: 3 } as const

/** Canonical addresses of Uniswap's Permit2 and of the x402 proxies, the same on every chain. */
export const PERMIT2_ADDRESS: Address = '0x000000000022d473030f116ddee9f6b43ac78ba3'
export const X402_EXACT_PROXY_ADDRESS: Address = '0x402085c248eea27d92e8b30b2c58ed07f9e20001'
export const X402_UPTO_PROXY_ADDRESS: Address = '0x4020a4f3b7b90cca423b9fabcc0ce57c6c240002'

/** EIP-712 domain name and version of the OPG token, for EIP-3009 and permits. */
export const OPG_DOMAIN = { name: 'OpenGradient', version: '1' } as const

const encodeRequestId = staticEncoder(['bytes32', 'uint256', 'address', 'address', 'uint8', 'bytes32'])

/** Identity of a request: derived from the payment, so that one authorisation pays for one request. */
export function requestIdOf(parameters: {
  chainId: number
  escrow: Address
  payer: Address
  scheme: number
  paymentNonce: Hex
}): Hex {
  return keccak256(
    encodeRequestId([
      TAGS.requestId,
      BigInt(parameters.chainId),
      parameters.escrow,
      parameters.payer,
      parameters.scheme,
      parameters.paymentNonce,
    ]),
  )
}
