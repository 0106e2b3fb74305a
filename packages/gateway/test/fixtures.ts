import {
  ANTHROPIC_VERSIONS,
  CONTRACT_NAMES,
  type Contracts,
  type Deployment,
  type Network,
  type NetworkModel,
} from '@assay/protocol'
import { x402Client, x402HTTPClient } from '@x402/core/client'
import { ExactEvmScheme, UptoEvmScheme } from '@x402/evm'
import { appendPaymentIdentifierToExtensions } from '@x402/extensions/payment-identifier'
import type { Address, Hex } from 'viem'
import { generatePrivateKey, privateKeyToAccount, privateKeyToAddress } from 'viem/accounts'

export const GATEWAY_KEY: Hex = `0x${'66'.repeat(32)}`
export const COMMITTER = privateKeyToAddress(GATEWAY_KEY).toLowerCase() as Address
export const TILL: Address = `0x${'0a'.repeat(20)}`
export const CONTRACTS = Object.fromEntries(
  CONTRACT_NAMES.map((name, at) => [name, `0x${(at + 1).toString(16).padStart(40, '0')}`]),
) as Contracts
export const DEPLOYMENT: Deployment = {
  chainId: 31337,
  settlement: CONTRACTS.Settlement,
  deploymentId: `0x${'11'.repeat(32)}`,
}
export const MODEL: NetworkModel = {
  name: 'test-model',
  modelId: `0x${'05'.repeat(32)}`,
  contextLength: 64,
  modes: ['tee'],
}

/** What the head of a request to a path must hold. */
export const headOf = (path: string): Record<string, string> => ({
  'content-type': 'application/json',
  ...(path.includes('/v1/messages') ? { 'anthropic-version': ANTHROPIC_VERSIONS[0] } : {}),
})

export function networkWith(nodes: Network['nodes']): Network {
  return {
    chainId: 31337,
    rpcUrl: 'http://127.0.0.1:1',
    gatewayUrl: 'http://127.0.0.1:4020',
    deploymentId: DEPLOYMENT.deploymentId,
    contracts: CONTRACTS,
    gateway: COMMITTER,
    nodes,
    validators: [],
    accounts: {},
    models: [MODEL],
  }
}

export const BODY = JSON.stringify({
  model: MODEL.name,
  messages: [{ role: 'user', content: 'hello' }],
  max_tokens: 8,
})
export const STREAM_BODY = JSON.stringify({ ...JSON.parse(BODY), stream: true })

/** A payer that signs with the stock x402 client what a 402 offers. */
export function createPayer(
  scheme: 'exact' | 'upto',
  privateKey: Hex = generatePrivateKey(),
  token: Address = CONTRACTS.OPG,
): {
  address: Address
  /** @param name of the request, by which its answer may be had again */
  sign(response: Response, name?: string): Promise<Record<string, string>>
} {
  const account = privateKeyToAccount(privateKey)
  const client = new x402Client((_version, accepts) => {
    const chosen = accepts.find((offer) => offer.scheme === scheme)
    if (chosen === undefined) throw new Error(`no ${scheme} offer`)
    return chosen
  })
    .register('eip155:*', new ExactEvmScheme(account))
    .register('eip155:*', new UptoEvmScheme(account))
  client.setSpendControls({ allowedAssets: [{ network: 'eip155:31337', asset: token }] })
  const http = new x402HTTPClient(client)
  return {
    address: account.address,
    async sign(response, name) {
      const required = http.getPaymentRequiredResponse((header) => response.headers.get(header))
      if (name !== undefined) appendPaymentIdentifierToExtensions(required.extensions ?? {}, name)
      return http.encodePaymentSignatureHeader(await client.createPaymentPayload(required))
    },
  }
}
