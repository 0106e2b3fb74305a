import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { AssayError } from '@assay/protocol'

/** A place that may be dialled: connect to `address`, send `host` as the Host header and for TLS. */
export type DialTarget = { url: URL; host: string; address: string; family: 4 | 6; port: number }

const MAX_URL_LENGTH = 2048

/**
 * Ranges that are not the public internet (IANA special-purpose registries, RFC 6890): whoever registers a URL there
 * wants us to reach something of our own.
 */
const PRIVATE = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  PRIVATE.addSubnet(network, prefix, 'ipv4')
// 6to4, Teredo and NAT64 carry IPv4 addresses inside; only 2000::/3 is global unicast at all.
const PUBLIC_V6 = new BlockList()
PUBLIC_V6.addSubnet('2000::', 3, 'ipv6')
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6')
}

/** Whether an IP address is outside the public internet. IPv4-mapped IPv6 addresses count as what they map. */
export function isPrivateAddress(address: string): boolean {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1]
  const plain = mapped ?? address
  const family = isIP(plain)
  if (family === 4) return PRIVATE.check(plain, 'ipv4')
  if (family === 6) return !PUBLIC_V6.check(plain, 'ipv6') || PRIVATE.check(plain, 'ipv6')
  return true
}

/**
 * Checks a URL that a stranger registered, before it is dialled: http or https, no credentials, and every address it
 * resolves to is public (all of them, so that a mixed answer cannot slip one in). Dial the returned `address`, not the
 * name: a second look-up may give another answer.
 * @throws AssayError `config`
 */
export async function safeDial(
  given: string,
  options: { devnet: boolean; resolve?: ((host: string) => Promise<string[]>) | undefined },
): Promise<DialTarget> {
  const url = given.length <= MAX_URL_LENGTH ? URL.parse(given) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw refused(given, 'not an http address')
  if (url.username !== '' || url.password !== '') throw refused(given, 'it holds credentials')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const addresses = isIP(host) === 0 ? await (options.resolve ?? resolveAll)(host).catch(() => []) : [host]
  const address = addresses[0]
  if (address === undefined) throw refused(given, 'its name does not resolve')
  if (!options.devnet && addresses.some(isPrivateAddress))
    throw refused(given, 'it is not on the public internet')
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  return { url, host: url.host, address, family: isIP(address) === 6 ? 6 : 4, port }
}

async function resolveAll(host: string): Promise<string[]> {
  return (await lookup(host, { all: true, verbatim: true })).map((entry) => entry.address)
}

function refused(url: string, reason: string): AssayError {
  return new AssayError(`The registered address cannot be dialled: ${reason}.`, {
    code: 'config',
    facts: { url: url.slice(0, 200) },
    next: 'Its operator must register a public http or https address.',
  })
}
