import {
  deploymentOf,
  ENGINE_CLASS,
  encodeProviderKey,
  HARDWARE_NITRO_SIM,
  isProviderKeyName,
  isProviderSecret,
  type Network,
  PROVIDER_KEYS_PATH,
  providerKeyDigest,
  signDigest,
} from '@assay/protocol'
import { type Address, type Hex, isAddressEqual } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { admittedEnclave } from './admittedEnclave.ts'
import { type ChainReader, chainReaderOf } from './chainReader.ts'
import { SdkError } from './errors.ts'
import { gatewayError } from './gatewayError.ts'
import { sealRequest } from './sealedExchange.ts'
import { QUOTE_PATIENCE_MS } from './send.ts'

export type GiveProviderKeyParameters = {
  network: Network
  /** Of the node's operator, which signs. */
  privateKey: Hex
  /** The only one that the enclave will show the key to: `openai`, `anthropic`, `gemini` or `xai`. */
  provider: string
  /** What the node's file of upstream models calls it (docs/upstreams.md). */
  name: string
  secret: string
  /** Where the node answers; as the network file has it by default. */
  nodeUrl?: string | undefined
  chain?: ChainReader | undefined
}

/** A key of a provider's, and the enclave that has it until its process ends. */
export type GivenProviderKey = {
  provider: string
  name: string
  operator: Address
  enclave: Address
  /** Where nothing but software stands behind the enclave, its host has the key too. */
  simulated: boolean
}

/**
 * Gives the key of a provider's API to the enclave of a node: the enclave is checked against the chain first, and the key
 * is encrypted to it, so that nobody on the way reads it, the enclave's host included (docs/spec.md §12).
 * @throws SdkError `bad_input` | `unreachable` | `not_confidential`: nothing was sent; `gateway_error`: the node refused it
 */
export async function giveProviderKey(parameters: GiveProviderKeyParameters): Promise<GivenProviderKey> {
  const { network, privateKey, provider, name, secret } = parameters
  if (!isProviderKeyName(name)) throw badInput('The name of a key is a word in lower case.', { name })
  // Neither its length nor its beginning is repeated: it is a secret, mistyped or not.
  if (!isProviderSecret(secret))
    throw badInput('A key of a provider is one line of at most 4096 characters.', {})
  const operator = privateKeyToAddress(privateKey).toLowerCase() as Address
  const known = network.nodes.find((node) => isAddressEqual(node.operator, operator))
  const nodeUrl = parameters.nodeUrl ?? known?.url
  if (nodeUrl === undefined) {
    const next =
      'Sign with the operator’s key (on a development network: --as node), or name the node’s address.'
    throw badInput('The network file lists no node of this operator.', { operator }, next)
  }
  if (!URL.canParse(nodeUrl)) throw badInput('The node’s address is none.', { nodeUrl })
  const signal = AbortSignal.timeout(2 * QUOTE_PATIENCE_MS)
  const { key, config, registered } = await admittedEnclave({
    network,
    chain: parameters.chain ?? chainReaderOf(network),
    source: { name: 'node', url: nodeUrl },
    engineClass: ENGINE_CLASS.providerProxy,
    whyNot: (node) =>
      isAddressEqual(node, operator)
        ? undefined
        : `it belongs to another operator, ${node}, and not to ${operator}`,
    signal,
  })
  const statement = { enclave: key, provider, name, secret, sequence: BigInt(Date.now()) }
  const signature = await signDigest(providerKeyDigest(statement, deploymentOf(network)), privateKey)
  const sealed = await sealRequest(config, {
    path: PROVIDER_KEYS_PATH,
    headers: new Headers(),
    body: encodeProviderKey({ key: statement, signature }),
  })
  const answer = await fetch(new URL(PROVIDER_KEYS_PATH, nodeUrl), {
    method: 'POST',
    headers: { 'content-type': sealed.contentType, 'accept-encoding': 'identity' },
    body: sealed.body,
    redirect: 'error',
    signal,
  }).catch((cause: unknown) => {
    throw new SdkError('The node does not answer.', {
      code: 'unreachable',
      facts: { url: new URL(nodeUrl).origin },
      next: 'Give the key again: the last one counts.',
      cause,
    })
  })
  const opened = await sealed.open(answer)
  if (!opened.ok) throw await gatewayError(opened)
  await opened.body?.cancel()
  return { provider, name, operator, enclave: key, simulated: registered.hardwareType === HARDWARE_NITRO_SIM }
}

function badInput(message: string, facts: Record<string, unknown>, next?: string): SdkError {
  return new SdkError(message, { code: 'bad_input', facts, next })
}
