import { OPG_DOMAIN } from '@assay/protocol'
import { checkPayment } from '@assay/verify'
import { x402Client, x402HTTPClient } from '@x402/core/client'
import { ExactEvmScheme, UptoEvmScheme } from '@x402/evm'
import type { Address } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { LocalNetwork } from '../localNetwork.ts'

/** A payment of the demo payer, made by the stock x402 client and read as the gateway reads it. @throws Error where it does not hold */
export async function stockPayment(local: LocalNetwork, scheme: 'exact' | 'upto', amount: bigint) {
  const { network, till, payerKey, client } = local
  const { OPG, InferenceEscrow } = network.contracts
  const account = privateKeyToAccount(payerKey)
  const caip2 = `eip155:${network.chainId}` as const
  const allowedAssets = [{ network: caip2, asset: OPG, maxAmountPerPayment: amount.toString() }]
  const stock = new x402Client()
    .register(caip2, new UptoEvmScheme(account))
    .register(caip2, new ExactEvmScheme(account))
    .setSpendControls({ allowedAssets })
  const assetTransferMethod = scheme === 'exact' ? 'eip3009' : 'permit2'
  const offer = {
    scheme,
    network: caip2,
    asset: OPG,
    amount: amount.toString(),
    payTo: till,
    maxTimeoutSeconds: 3600,
    extra: { ...OPG_DOMAIN, assetTransferMethod, facilitatorAddress: till },
  }
  const resource = { url: 'http://127.0.0.1:9', description: '', mimeType: 'application/json' }
  const payload = await stock.createPaymentPayload({ x402Version: 2, resource, accepts: [offer] })
  const headers = new x402HTTPClient(stock).encodePaymentSignatureHeader(payload)
  const checked = await checkPayment({
    header: headers['PAYMENT-SIGNATURE'] ?? '',
    chainId: network.chainId,
    token: OPG,
    escrow: InferenceEscrow,
    till,
    committer: local.gateway.address.toLowerCase() as Address,
    minAmount: amount,
    now: (await client.getBlock()).timestamp,
  })
  if (!checked.ok) throw new Error(`The payment does not hold: ${checked.reason}`)
  return checked
}
