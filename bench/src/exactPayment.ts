import { OPG_DOMAIN, requestIdOf, SCHEME, toBase64 } from '@assay/protocol'
import type { ExactPayment } from '@assay/verify'
import { type Address, type Hex, stringToBytes, toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { LocalNetwork } from './localNetwork.ts'

/** One signed EIP-3009 authorisation: as escrow takes it, as a request id, and as an x402 v2 header. */
export type SignedPayment = { exact: ExactPayment; requestId: Hex; header: string }

/** Payment `index` of the demo payer to the gateway's till, `value` OPG base units, good for an hour. */
export async function signExactPayment(
  local: LocalNetwork,
  index: number,
  value: bigint,
): Promise<SignedPayment> {
  const { network, till, payerKey } = local
  const { OPG, InferenceEscrow } = network.contracts
  const account = privateKeyToAccount(payerKey)
  const payer = account.address.toLowerCase() as Address
  const nonce = toHex(index + 1, { size: 32 })
  const validBefore = BigInt(Math.floor(Date.now() / 1000) + 3600)
  const authorization = { from: payer, to: till, value, validAfter: 0n, validBefore, nonce }
  const signature = await account.signTypedData({
    domain: { ...OPG_DOMAIN, chainId: network.chainId, verifyingContract: OPG },
    types: {
      TransferWithAuthorization: [
        { name: 'from', type: 'address' },
        { name: 'to', type: 'address' },
        { name: 'value', type: 'uint256' },
        { name: 'validAfter', type: 'uint256' },
        { name: 'validBefore', type: 'uint256' },
        { name: 'nonce', type: 'bytes32' },
      ],
    },
    primaryType: 'TransferWithAuthorization',
    message: authorization,
  })
  const payload = {
    x402Version: 2,
    accepted: {
      scheme: 'exact',
      network: `eip155:${network.chainId}`,
      asset: OPG,
      amount: value.toString(),
      payTo: till,
      maxTimeoutSeconds: 3600,
      extra: { ...OPG_DOMAIN, assetTransferMethod: 'eip3009' },
    },
    payload: {
      authorization: {
        ...authorization,
        value: value.toString(),
        validAfter: '0',
        validBefore: validBefore.toString(),
      },
      signature,
    },
  }
  return {
    exact: {
      payer,
      gateway: local.gateway.address,
      value,
      validAfter: 0n,
      validBefore,
      nonce,
      signature,
    },
    requestId: requestIdOf({
      chainId: network.chainId,
      escrow: InferenceEscrow,
      payer,
      scheme: SCHEME.exact,
      paymentNonce: nonce,
    }),
    header: toBase64(stringToBytes(JSON.stringify(payload))),
  }
}
