import { CONFIDENTIAL_HEADERS, type Network } from '@assay/protocol'
import { type Hex, zeroHash } from 'viem'
import { SdkError } from './errors.ts'
import { jsonObjectIn } from './jsonObject.ts'
import { readBounded } from './limits.ts'

/** A request as it will be signed for: exact bytes, and the headers that go with them. */
export type Asked = {
  /** Target: path and query. */
  path: string
  pathname: string
  headers: Headers
  body: Uint8Array<ArrayBuffer>
  modelId: Hex
  /** Most that the call may cost by its own word, OPG base units. */
  maxPrice: bigint | undefined
  signal: AbortSignal
}

/**
 * What must live as long as a signal does. A `Request` alone holds what makes its signal follow its caller's: once it is
 * garbage an abort goes unheard, in the middle of a stream too (nodejs/undici issue 1926).
 */
const followers = new WeakMap<AbortSignal, readonly unknown[]>()

/**
 * Reads a request once, so that every gateway is asked with the same bytes.
 * @param source what it was made of
 * @throws SdkError
 */
export async function readAsked(request: Request, network: Network, source?: unknown): Promise<Asked> {
  followers.set(request.signal, [request, source])
  const { pathname, search } = new URL(request.url)
  const contentEncoding = request.headers.get('content-encoding') ?? 'identity'
  if (contentEncoding !== 'identity') {
    throw new SdkError('An encoded request body cannot be signed for.', {
      code: 'unsupported_body',
      facts: { contentEncoding },
      next: 'Send the body without content-encoding.',
    })
  }
  const body = await readBounded(request, 'unsupported_body')
  const headers = new Headers(request.headers)
  // Only identity bytes can be signed (docs/spec.md §1); a compressing middlebox would break the hash.
  headers.set('accept-encoding', 'identity')
  const modelId = modelIdFor(network, body)
  const maxPrice = maxPriceIn(headers)
  return { path: pathname + search, pathname, headers, body, modelId, maxPrice, signal: request.signal }
}

/** A gateway obeys the header too, but need not, and does not see it of what is encrypted. @throws SdkError `bad_input` */
function maxPriceIn(headers: Headers): bigint | undefined {
  const { maxPrice: name } = CONFIDENTIAL_HEADERS
  const most = headers.get(name)
  if (most === null) return undefined
  if (/^[1-9][0-9]{0,38}$/.test(most)) return BigInt(most)
  throw new SdkError(`\`${name}\` must be the most the request may cost, in base units.`, {
    code: 'bad_input',
  })
}

/** Zero where the body names no model: nothing is signed for what has no price, and the gateway says what is wrong with it. */
function modelIdFor(network: Network, body: Uint8Array): Hex {
  const name = modelNameOf(body)
  if (name === undefined) return zeroHash
  const model = network.models.find((entry) => entry.name === name || entry.modelId === name)
  if (model !== undefined) return model.modelId
  throw new SdkError('The network file lists no such model.', {
    code: 'unknown_model',
    facts: { model: name, known: network.models.map((entry) => entry.name).join(', ') },
    next: 'Ask for one of these. If it is newer than the network file: fetch that again, and restart what has read it.',
  })
}

function modelNameOf(body: Uint8Array): string | undefined {
  const name = jsonObjectIn(body)?.model
  return typeof name === 'string' ? name : undefined
}
