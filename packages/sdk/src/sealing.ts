import { CONFIDENTIAL_PATH, type Network } from '@assay/protocol'
import type { ChainReader } from './chainReader.ts'
import { type Channel, openChannel, outerHeaders, quoteConfidential } from './confidential.ts'
import { patience } from './patience.ts'
import { sealRequest } from './sealedExchange.ts'
import { send } from './send.ts'

/** Where a confidential request goes, to which enclave, and what of it stands in clear. */
export type Sealing = { url: string; channel: Channel; outer: Record<string, string> }

export async function sealingFor(
  network: Network,
  chain: ChainReader,
  path: string,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<Sealing> {
  const { model, maximum } = await quoteConfidential(network, path, body, signal)
  const channel = await openChannel(network, chain, model, signal)
  return {
    url: new URL(CONFIDENTIAL_PATH, network.gatewayUrl).href,
    channel,
    outer: outerHeaders(channel, maximum),
  }
}

export async function sendSealed(
  { url, channel, outer }: Sealing,
  inner: { path: string; headers: Headers; body: Uint8Array },
  paid: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  const { body, contentType, open } = await sealRequest(channel.config, inner)
  const headers = { ...outer, ...paid, 'content-type': contentType, 'accept-encoding': 'identity' }
  return open(await send(url, { method: 'POST', headers, body, signal, redirect: 'error', ...patience() }))
}
