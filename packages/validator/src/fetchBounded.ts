import { lookup as resolve } from 'node:dns'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { AssayError } from '@assay/protocol'

/** Ranges that a URL from the chain must not reach: this machine, its neighbours, cloud metadata (RFC 6890). */
const PRIVATE = new BlockList()
for (const [range, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(range, bits, 'ipv4')
}
for (const [range, bits] of [
  ['::', 96], // unspecified, loopback, IPv4-compatible
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  PRIVATE.addSubnet(range, bits, 'ipv6')
}

function isPrivate(address: string): boolean {
  // BlockList applies IPv4 rules to IPv4-mapped IPv6 addresses itself.
  return PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** Resolves and refuses in one go, so that a name cannot answer one thing to the check and another to the dialler. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    const refused = addresses?.find((entry) => isPrivate(entry.address))
    const first = addresses?.[0]
    if (error !== null || first === undefined) return callback(error ?? new Error('no address'), '', 4)
    if (refused !== undefined) return callback(new Error(`${refused.address} is a private address`), '', 4)
    if (options.all) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

export type FetchBoundedOptions = {
  /** Larger answers are cut off, bytes. */
  maxBytes: number
  /** For the whole exchange, milliseconds. */
  timeoutMs: number
  /** Whether 127.0.0.1 and the like may be dialled: on a development chain only. */
  allowPrivate: boolean
  signal?: AbortSignal | undefined
}

/**
 * GETs a URL that a stranger wrote on the chain. Follows no redirects, sends nothing of ours.
 * @throws AssayError `unreachable`
 */
export async function fetchBounded(url: string, options: FetchBoundedOptions): Promise<Uint8Array> {
  const unreachable = (why: string, cause?: unknown) =>
    new AssayError('The data could not be fetched.', {
      code: 'unreachable',
      facts: { url: url.slice(0, 300), why },
      cause,
    })
  if (url.length > 2048 || !URL.canParse(url)) throw unreachable('not a URL')
  const target = new URL(url)
  if (target.protocol !== 'http:' && target.protocol !== 'https:') throw unreachable('neither http nor https')
  const literal = target.hostname.replace(/^\[|\]$/g, '')
  if (!options.allowPrivate && isIP(literal) !== 0 && isPrivate(literal)) {
    throw unreachable('a private address')
  }
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal])
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest
  const lookup = options.allowPrivate ? {} : { lookup: publicLookup }
  return new Promise((resolvePromise, reject) => {
    const request = send(target, { signal, agent: false, ...lookup }, (response) => {
      if (response.statusCode !== 200) {
        response.destroy()
        return reject(unreachable(`status ${response.statusCode}`))
      }
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        chunks.push(chunk)
        if (length > options.maxBytes) {
          response.destroy()
          reject(unreachable(`more than ${options.maxBytes} bytes`))
        }
      })
      response.on('end', () => resolvePromise(new Uint8Array(Buffer.concat(chunks))))
      response.on('error', (error) => reject(unreachable(error.message, error)))
      response.on('aborted', () => reject(unreachable('the answer broke off')))
    })
    request.on('error', (error) => reject(unreachable(error.message, error)))
    request.end()
  })
}
