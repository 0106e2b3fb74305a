import {
  type DialectError,
  decodeBinaryRequest,
  OHTTP_REQUEST_TYPE,
  type OhttpForm,
  openRequest,
  type ResponseSealer,
} from '@assay/protocol'
import { badRequest } from '../dialects/refusal.ts'
import type { ConfidentialKey } from '../keyRing.ts'
import { headerOf, type RawRequest } from './rawRequest.ts'

/** What came encrypted, and what seals its answer. */
export type Opened = {
  /** Names of headers in lower case. */
  raw: RawRequest
  sealer: ResponseSealer
  /** That it was encrypted to. */
  key: ConfidentialKey
}

/** Opens what was encrypted to one of the keys of this enclave (RFC 9458, docs/spec.md §12). */
export async function openSealed(
  keys: readonly ConfidentialKey[],
  outer: RawRequest,
): Promise<Opened | { error: DialectError }> {
  const type = (headerOf(outer, 'content-type') ?? '').toLowerCase()
  const form = (['chunked', 'whole'] as const).find((known: OhttpForm) => OHTTP_REQUEST_TYPE[known] === type)
  if (form === undefined) {
    const message = `Send content-type: ${OHTTP_REQUEST_TYPE.chunked}.`
    return { error: badRequest(message, null, 'unsupported_media_type', 415) }
  }
  try {
    const { key, request, seal } = await openWithOne(keys, outer.body, form)
    const { method, path, headers, body } = decodeBinaryRequest(request)
    const raw = { method: method.toUpperCase(), path, headers, body: Uint8Array.from(body) }
    return { raw, sealer: await seal(), key }
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
