import {
  CONFIDENTIAL_HEADERS,
  type DialectError,
  decodeRequestAuthHeader,
  REQUEST_AUTH_HEADER,
} from '@assay/protocol'
import { badRequest } from '../dialects/refusal.ts'
import type { ConfidentialKey } from '../keyRing.ts'
import { COMMITTER_HEADER } from './admit.ts'
import { type Opened, openSealed } from './openSealed.ts'
import { headerOf, type RawRequest } from './rawRequest.ts'

/** What an encrypted request for an answer turned out to be. */
export type OpenedConfidential = Opened & {
  /** Model that the outside names; the inside must ask for the same. */
  model: string | undefined
  /** Why inside and outside do not agree, if they do not. */
  disagreement: DialectError | undefined
}

/** Headers that stand outside for the gateway and inside for the enclave, and must be the same. */
const TWICE = ['payment-signature', REQUEST_AUTH_HEADER] as const

/**
 * Opens an encrypted request (docs/spec.md §12). The gateway was paid and chose by what stands outside, so that must be
 * what stands inside: else a relay could pair one client's ciphertext with another's payment, or a client pay for a
 * cheap model and ask for a dear one. What the gateway alone may say, its own name, is taken from outside.
 */
export async function openConfidential(
  keys: readonly ConfidentialKey[],
  outer: RawRequest,
): Promise<OpenedConfidential | { error: DialectError }> {
  const opened = await openSealed(keys, outer)
  if ('error' in opened) return opened
  const committer = headerOf(outer, COMMITTER_HEADER)
  const raw: RawRequest = {
    ...opened.raw,
    headers: [
      ...opened.raw.headers.filter(([name]) => name !== COMMITTER_HEADER),
      ...(committer === undefined ? [] : [[COMMITTER_HEADER, committer] as const]),
    ],
  }
  const model = headerOf(outer, CONFIDENTIAL_HEADERS.model)
  return { ...opened, raw, model, disagreement: disagreementOf(outer, raw) }
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
