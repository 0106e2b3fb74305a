import type { Address } from 'viem'

/** Of one connection only (RFC 9110 §7.6.1), or set anew towards the node. */
const DROPPED_REQUEST = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'expect',
  'accept-encoding',
  // Ours to say; a client's own would point the receipt at another gateway.
  'assay-committer',
  'assay-grant',
  // Credentials for other services are none of the node's business.
  'authorization',
  'x-api-key',
  'cookie',
])
const DROPPED_RESPONSE = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'set-cookie',
])

/** The client's headers in their order and spelling, as alternating names and values, with the committer and what else is ours. */
export function requestHeaders(
  raw: readonly string[],
  committer: Address,
  ours: Readonly<Record<string, string>> = {},
): string[] {
  const headers: string[] = []
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string
    const key = name.toLowerCase()
    if (!DROPPED_REQUEST.has(key) && !Object.hasOwn(ours, key)) headers.push(name, raw[at + 1] as string)
  }
  headers.push('assay-committer', committer, 'accept-encoding', 'identity', ...Object.entries(ours).flat())
  return headers
}

/** Alternating names and values as pairs. */
export function headerPairs(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] as string, raw[at + 1] as string])
  return pairs
}

/** The node's headers as they go to the client. */
export function responseHeaders(
  headers: Record<string, string | string[] | undefined>,
): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase()
    if (value !== undefined && !DROPPED_RESPONSE.has(key) && !key.startsWith('access-control-'))
      kept[key] = value
  }
  return kept
}
