import type { Address, Hex } from 'viem'
import { fromBase64Url, toBase64Url } from './base64/base64.ts'
import { canonicalJsonBytes, type Json, parseCanonicalJson } from './canonicalJson.ts'
import { type Deployment, structDigest } from './domain.ts'
import { readAddress, readBytes, readObject, readUint } from './schema.ts'
import { encodeType, structHasher } from './typedData.ts'

/** Header that carries it; deliberately outside the listed headers, since it contains the request's hash. */
export const REQUEST_AUTH_HEADER = 'assay-request-auth'

/** The payer's own signature on what it asked for (docs/spec.md §4). */
export type RequestAuth = {
  requestId: Hex
  requestHash: Hex
  modelId: Hex
  /** OPG base units. */
  maxPrice: bigint
  committer: Address
  /** Unix seconds. */
  deadline: bigint
}
export type SignedRequestAuth = { auth: RequestAuth; signature: Hex }

export const REQUEST_AUTH_TYPES = {
  RequestAuth: [
    { name: 'requestId', type: 'bytes32' },
    { name: 'requestHash', type: 'bytes32' },
    { name: 'modelId', type: 'bytes32' },
    { name: 'maxPrice', type: 'uint128' },
    { name: 'committer', type: 'address' },
    { name: 'deadline', type: 'uint64' },
  ],
} as const
const FIELDS = REQUEST_AUTH_TYPES.RequestAuth

const hashRequestAuth = structHasher(
  encodeType('RequestAuth', FIELDS),
  FIELDS.map(({ type }) => type),
)

/** The 32 bytes that the payer signs, or the gateway of a grant (docs/spec.md §4). */
export function requestAuthDigest(auth: RequestAuth, deployment: Deployment): Hex {
  return structDigest(hashRequestAuth(FIELDS.map(({ name }) => auth[name])), deployment)
}

export function requestAuthToJson({ auth, signature }: SignedRequestAuth): { [name: string]: Json } {
  return {
    auth: {
      requestId: auth.requestId,
      requestHash: auth.requestHash,
      modelId: auth.modelId,
      maxPrice: auth.maxPrice.toString(),
      committer: auth.committer.toLowerCase(),
      deadline: auth.deadline.toString(),
    },
    signature,
  }
}

/** @throws AssayError `malformed` */
export function requestAuthFromJson(value: Json | undefined, where = 'requestAuth'): SignedRequestAuth {
  const members = readObject(value, where, ['auth', 'signature'])
  const place = `${where}.auth`
  const auth = readObject(
    members.auth,
    place,
    FIELDS.map((field) => field.name),
  )
  return {
    auth: {
      requestId: readBytes(auth.requestId, `${place}.requestId`, 32),
      requestHash: readBytes(auth.requestHash, `${place}.requestHash`, 32),
      modelId: readBytes(auth.modelId, `${place}.modelId`, 32),
      maxPrice: readUint(auth.maxPrice, `${place}.maxPrice`, 128),
      committer: readAddress(auth.committer, `${place}.committer`),
      deadline: readUint(auth.deadline, `${place}.deadline`, 64),
    },
    signature: readBytes(members.signature, `${where}.signature`, 65),
  }
}

export function encodeRequestAuthHeader(signed: SignedRequestAuth): string {
  return toBase64Url(canonicalJsonBytes(requestAuthToJson(signed)))
}

/** @throws AssayError `malformed` | `non_canonical` */
export function decodeRequestAuthHeader(text: string): SignedRequestAuth {
  return requestAuthFromJson(parseCanonicalJson(fromBase64Url(text), 2048))
}
