import {
  CONFIDENTIAL_HEADERS,
  ENGINE_CLASS,
  INFERENCE_PATHS,
  type Network,
  quoteMaximum,
  readIntent,
} from '@assay/protocol'
import { isAddressEqual } from 'viem'
import { type AdmittedEnclave, admittedEnclave } from './admittedEnclave.ts'
import type { ChainReader } from './chainReader.ts'
import { getJsonDocument, type Source } from './documents.ts'
import { SdkError } from './errors.ts'

/** An enclave that runs a model. */
export type Channel = AdmittedEnclave & { model: string }

const gatewayOf = ({ gatewayUrl }: Network): Source => ({ name: 'gateway', url: gatewayUrl })

/** Finds an enclave for the model, of a node of this network. @throws SdkError `unreachable` | `not_confidential` */
export async function openChannel(
  network: Network,
  chain: ChainReader,
  model: string,
  signal: AbortSignal,
): Promise<Channel> {
  const enclave = await admittedEnclave({
    network,
    chain,
    source: gatewayOf(network),
    query: `?model=${encodeURIComponent(model)}`,
    engineClass: ENGINE_CLASS.enclave,
    whyNot: (node) =>
      network.nodes.some(({ operator }) => isAddressEqual(operator, node))
        ? undefined
        : 'its operator is not of this network',
    signal,
  })
  return { ...enclave, model }
}

/** Most that the request may cost by the gateway's price list, OPG base units; the receipt is checked by the chain's. */
export async function quoteConfidential(
  network: Network,
  path: string,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<{ model: string; maximum: bigint }> {
  const route = Object.hasOwn(INFERENCE_PATHS, path) ? INFERENCE_PATHS[path] : undefined
  if (route === undefined) {
    throw new SdkError('This path cannot be asked confidentially.', {
      code: 'not_confidential',
      facts: { path, possible: Object.keys(INFERENCE_PATHS).join(', ') },
    })
  }
  const lengthOf = (name: string) => network.models.find((entry) => entry.name === name)?.contextLength
  const read = readIntent(route, body, lengthOf)
  if ('problem' in read) {
    throw new SdkError(read.problem.message, {
      code: read.problem.code === 'model_not_found' ? 'unknown_model' : 'unsupported_body',
      facts: { known: network.models.map((entry) => entry.name).join(', ') },
    })
  }
  const { model, maxOutput } = read.intent
  const listed = await getJsonDocument(gatewayOf(network), `/v1/models/${encodeURIComponent(model)}`, signal)
  const { price } = ((listed ?? {}) as { assay?: { price?: Record<string, unknown> } }).assay ?? {}
  const amount = (name: string): bigint => {
    const value = price?.[name]
    if (typeof value === 'string' && /^[0-9]{1,39}$/.test(value)) return BigInt(value)
    throw new SdkError('The gateway lists no price for this model.', {
      code: 'offer_rejected',
      facts: { model },
    })
  }
  const row = { perCall: amount('perCall'), inputPrice: amount('input'), outputPrice: amount('output') }
  return { model, maximum: quoteMaximum(row, body.length, maxOutput) }
}

/** Headers that the gateway sees of a confidential request, payment apart. */
export function outerHeaders({ model, key }: Channel, maxPrice: bigint): Record<string, string> {
  return {
    [CONFIDENTIAL_HEADERS.model]: model,
    [CONFIDENTIAL_HEADERS.maxPrice]: maxPrice.toString(),
    [CONFIDENTIAL_HEADERS.key]: key,
  }
}
