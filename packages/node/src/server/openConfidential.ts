import {
  CONFIDENTIAL_HEADERS,
  type DialectError,
  decodeBinaryRequest,
  decodeRequestAuthHeader,
  OHTTP_REQUEST_TYPE,
  type OhttpForm,
  openRequest,
  REQUEST_AUTH_HEADER,
  type ResponseSealer,
} from '@assay/protocol'
import { badRequest } from '../dialects/refusal.ts'
import type { ConfidentialKey } from '../keyRing.ts'
import type { RawRequest } from './admit.ts'

/** What an encrypted request turned out to be, and what seals its answer. */
export type Opened = {
  raw: RawRequest
  sealer: ResponseSealer
  /** Model that the outside names; the inside must ask for the same. */
  model: string | undefined
  /** That it was encrypted to, whose receipt answers it. */
  key: ConfidentialKey
  /** Why inside and outside do not agree, if they do not. */
  disagreement: DialectError | undefined
}

/** Headers that stand outside for the gateway and inside for the enclave, and must be the same. */
const TWICE = ['payment-signature', REQUEST_AUTH_HEADER] as const

/**
 * Opens an encrypted request (docs/spec.md §11). The gateway was paid and chose by what stands outside, so that must be
 * what stands inside: else a relay could pair one client's ciphertext with another's payment, or a client pay for a
 * cheap model and ask for a dear one. What the gateway alone may say, its own name, is taken from outside.
 */
export async function openConfidential(
  keys: readonly ConfidentialKey[],
  outer: RawRequest,
): Promise<Opened | { error: DialectError }> {
  const outside = (name: string): string | undefined => headerOf(outer, name)
  const type = (outside('content-type') ?? '').toLowerCase()
  const form = (['chunked', 'whole'] as const).find((known: OhttpForm) => OHTTP_REQUEST_TYPE[known] === type)
  if (form === undefined) {
    const message = `Send content-type: ${OHTTP_REQUEST_TYPE.chunked}.`
    return { error: badRequest(message, null, 'unsupported_media_type', 415) }
  }
  try {
    const { key, request, seal } = await openWithOne(keys, outer.body, form)
    const { method, path, headers, body } = decodeBinaryRequest(request)
    const committer = outside('assay-committer')
    const raw: RawRequest = {
      method: method.toUpperCase(),
      path,
      headers: [
        ...headers.filter(([name]) => name !== 'assay-committer'),
        ...(committer === undefined ? [] : [['assay-committer', committer] as const]),
      ],
      body: Uint8Array.from(body),
    }
    return {
      raw,
      sealer: await seal(),
      model: outside(CONFIDENTIAL_HEADERS.model),
      key,
      disagreement: disagreementOf(outer, raw),
    }
  } catch {
    // One answer for all of it: what exactly did not open is nobody's business (RFC 9458 §5.2).
    const message = 'The request does not open with the key of this enclave; ask for the key again.'
    return { error: badRequest(message, null, 'ohttp_key', 422) }
  }
}

/** While one key takes the place of another there are two, and no name outside is believed. @throws Error */
async function openWithOne(keys: readonly ConfidentialKey[], body: Uint8Array, form: OhttpForm) {
  for (const key of keys) {
    try {
      return { key, ...(await openRequest(key.ohttp, body, form)) }
    } catch {
      // Of another key, or of none.
    }
  }
  throw new Error('the request opens with no key')
}

function headerOf(request: RawRequest, name: string): string | undefined {
  return request.headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1]
}

function disagreementOf(outer: RawRequest, inner: RawRequest): DialectError | undefined {
  const differs = (what: string): DialectError =>
    badRequest(
      `The ${what} outside the encrypted request is not the one inside.`,
      null,
      'confidential_mismatch',
    )
  for (const name of TWICE) {
    const inside = headerOf(inner, name)
    if (inside === undefined || inside !== headerOf(outer, name)) return differs(`header \`${name}\``)
  }
  try {
    const { auth } = decodeRequestAuthHeader(headerOf(inner, REQUEST_AUTH_HEADER) as string)
    const maxPrice = headerOf(outer, CONFIDENTIAL_HEADERS.maxPrice)
    return maxPrice === auth.maxPrice.toString() ? undefined : differs('maximum price')
  } catch {
    return differs('payer’s signature')
  }
}
