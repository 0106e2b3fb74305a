import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { AssayError } from '@assay/protocol'
import { safeDial } from './safeDial.ts'

export type FetchBoundedOptions = {
  /** Larger answers are cut off, bytes. */
  maxBytes: number
  /** For the whole exchange, milliseconds. */
  timeoutMs: number
  /** Whether addresses of this machine may be dialled: on a development chain only. */
  devnet: boolean
  signal?: AbortSignal | undefined
}

function unreachable(
  url: string,
  why: string,
  cause?: unknown,
  more?: { status?: number | undefined },
): AssayError {
  const facts = { url: url.slice(0, 300), why, ...more }
  return new AssayError('The data could not be fetched.', { code: 'unreachable', facts, cause })
}

/** What a server gave is not what was committed: as good as nothing. */
export function wrongBytes(url: string, why: string): AssayError {
  return new AssayError('A server gave other bytes than those committed.', {
    code: 'unreachable',
    facts: { url, why },
  })
}

/**
 * GETs a URL that a stranger wrote on the chain: public addresses only, no redirects, nothing of ours sent along.
 * @throws AssayError `unreachable`, or `config` where the URL may not be dialled
 */
export async function fetchBounded(url: string, options: FetchBoundedOptions): Promise<Uint8Array> {
  const target = await safeDial(url, { devnet: options.devnet })
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal])
  const name = target.url.hostname
  const send = target.url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(unreachable(url, error.message, error))
    const request = send(
      {
        // The address that was checked, not the name: a second look-up might answer otherwise.
        host: target.address,
        port: target.port,
        family: target.family,
        path: target.url.pathname + target.url.search,
        headers: { host: target.host, accept: '*/*' },
        ...(isIP(name.replace(/^\[|\]$/g, '')) === 0 ? { servername: name } : {}),
        agent: false,
        signal,
      },
      (response) => {
        if (response.statusCode !== 200) {
          response.destroy()
          const { statusCode: status } = response
          return reject(unreachable(url, `status ${status}`, undefined, { status }))
        }
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > options.maxBytes) {
            response.destroy()
            return reject(unreachable(url, `more than ${options.maxBytes} bytes`))
          }
          chunks.push(chunk)
        })
        response.on('end', () => resolve(new Uint8Array(Buffer.concat(chunks))))
        response.on('error', fail)
      },
    )
    request.on('error', fail)
    request.end()
  })
}
