import { fromBase64Url } from '@assay/protocol'
import { bytesToHex, type Hex, hexToBytes } from 'viem'
import type { Problem } from '../checklist.ts'
import { verifyP384 } from '../x509/scheme.ts'

/** A token of one GPU has about 4 KB. */
const MAX_TOKEN_CHARACTERS = 65_536
const MAX_KEYS = 64

/** A JSON Web Key Set (RFC 7517 §5), as an issuer publishes it. What it says is trusted: fetch it from the issuer. */
export type Jwks = { keys: readonly unknown[] }

/** A compact JWS (RFC 7515 §3.1), decoded; each part has one spelling only, since stray bits are refused. */
export type Jws = {
  header: Readonly<Record<string, unknown>>
  payload: Readonly<Record<string, unknown>>
  /** ASCII of header and payload as sent. */
  signed: Uint8Array
  signature: Uint8Array
}

export type JwsCode =
  | 'algorithm_not_es384' // `none` and every other algorithm
  | 'header_unsupported' // an extension that must be understood
  | 'key_unknown' // no key of that id in the set
  | 'token_signature'

/** A JSON object, not an array and not a bare value. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readObject(part: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromBase64Url(part)))
  if (!isObject(value)) throw new Error('not a JSON object')
  return value
}

/** Reads a token and says nothing yet about whether it may be believed. @throws Error */
export function parseJws(token: string): Jws {
  if (token.length > MAX_TOKEN_CHARACTERS) throw new Error(`the token has ${token.length} characters`)
  const [header, payload, signature, ...rest] = token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    throw new Error('a token has three parts')
  }
  return {
    header: readObject(header),
    payload: readObject(payload),
    signed: new TextEncoder().encode(`${header}.${payload}`),
    signature: fromBase64Url(signature),
  }
}

/** A P-384 coordinate as its 48 bytes in hex (RFC 7518 §6.2.1.2). */
function coordinate(value: unknown): Hex | undefined {
  if (typeof value !== 'string') return undefined
  const bytes = fromBase64Url(value)
  return bytes.length === 48 ? bytesToHex(bytes) : undefined
}

/** The one signing key of this id, as an uncompressed point. */
function keyOf(kid: unknown, { keys }: Jwks): Uint8Array | undefined {
  if (typeof kid !== 'string' || keys.length > MAX_KEYS) return undefined
  const [key, ...others] = keys.filter(isObject).filter((candidate) => candidate.kid === kid)
  if (key === undefined || others.length > 0 || key.kty !== 'EC' || key.crv !== 'P-384') return undefined
  if ((key.use ?? 'sig') !== 'sig' || (key.alg ?? 'ES384') !== 'ES384') return undefined
  const [x, y] = [coordinate(key.x), coordinate(key.y)]
  return x !== undefined && y !== undefined ? hexToBytes(`0x04${x.slice(2)}${y.slice(2)}`) : undefined
}

/** Whether a key of this set signed this token with ES384. Keys that a token brings along are never used. */
export function jwsProblem(jws: Jws, jwks: Jwks): Problem<JwsCode> | undefined {
  const { alg, kid, crit } = jws.header
  if (alg !== 'ES384') {
    return { code: 'algorithm_not_es384', reason: `the algorithm is ${JSON.stringify(alg)}, not ES384` }
  }
  if (crit !== undefined) return { code: 'header_unsupported', reason: 'the header has critical extensions' }
  const key = keyOf(kid, jwks)
  if (key === undefined)
    return { code: 'key_unknown', reason: `no ES384 key ${JSON.stringify(kid)} in the set` }
  return jws.signature.length === 96 && verifyP384(key, jws.signed, jws.signature, 'compact')
    ? undefined
    : { code: 'token_signature', reason: 'the signature of a token does not hold' }
}
