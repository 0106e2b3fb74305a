import { randomBytes } from 'node:crypto'
import { publicClientOf, type Sender } from '@assay/chain'
import { inferenceEscrowAbi, OPG_DOMAIN, requestIdOf, SCHEME } from '@assay/protocol'
import { type Address, type Hex, toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { ChainOnly } from './operators.ts'

/** What an x402 `exact` payer signs (EIP-3009). */
export const AUTHORISATION_TYPES = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const

/** Escrow's states of a payment. */
export const PAYMENT = { none: 0, locked: 1, paid: 2, refunded: 3 } as const

/**
 * Pays into a gateway's till as an x402 `exact` client does, by an EIP-3009 authorisation; `collector` puts it on chain.
 * @param value OPG base units
 * @returns the request that it pays for
 */
export async function payInto(
  network: ChainOnly,
  parameters: { payerKey: Hex; gateway: Address; collector: Sender; value: bigint },
): Promise<Hex> {
  const { payerKey, gateway, collector, value } = parameters
  const payer = privateKeyToAccount(payerKey)
  const { InferenceEscrow, OPG } = network.contracts
  const escrow = { address: InferenceEscrow, abi: inferenceEscrowAbi } as const
  const client = publicClientOf(network)
  const till = await client.readContract({ ...escrow, functionName: 'tillOf', args: [gateway] })
  const { timestamp } = await client.getBlock()
  const nonce = toHex(randomBytes(32))
  const authorisation = { value, validAfter: 0n, validBefore: timestamp + 3600n, nonce }
  const signature = await payer.signTypedData({
    domain: { ...OPG_DOMAIN, chainId: network.chainId, verifyingContract: OPG },
    primaryType: 'TransferWithAuthorization',
    types: AUTHORISATION_TYPES,
    message: { from: payer.address, to: till, ...authorisation },
  })
  const item = { payer: payer.address, gateway, ...authorisation, signature }
  await collector.send({ ...escrow, functionName: 'collectExact', args: [[item]] })
  return requestIdOf({
    chainId: network.chainId,
    escrow: InferenceEscrow,
    payer: payer.address,
    scheme: SCHEME.exact,
    paymentNonce: nonce,
  })
}

/** State of a request's payment, and how much of it is there or was paid, OPG base units. */
export async function paymentOf(
  network: ChainOnly,
  requestId: Hex,
): Promise<{ state: number; amount: bigint }> {
  const [, , amount, , , state] = await publicClientOf(network).readContract({
    address: network.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    functionName: 'payment',
    args: [requestId],
  })
  return { state, amount }
}
