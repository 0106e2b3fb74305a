import { type Address, type Hex, hashTypedData, stringToBytes } from 'viem'
import { keccak256 } from '#keccak256'
import { fromBase64Url, toBase64Url } from './base64/base64.ts'
import { canonicalJsonBytes, type Json, parseCanonicalJson } from './canonicalJson.ts'
import { assayDomain, type Deployment, structDigest } from './domain.ts'
import { requestIdOf, SCHEME } from './payment.ts'
import type { GrantCall } from './receipt.ts'
import { requestAuthFromJson, requestAuthToJson, type SignedRequestAuth } from './requestAuth.ts'
import { readAddress, readArray, readBytes, readObject, readUint } from './schema.ts'
import { staticEncoder } from './staticEncoder.ts'
import { arrayHasher, encodeType, structHasher } from './typedData.ts'

/** What a payer lets one gateway spend without a signature for every call; Solidity's `SpendingGrant`. */
export type SpendingGrant = {
  payer: Address
  gateway: Address
  /** Most that may ever be spent under it, OPG base units. */
  maxTotal: bigint
  /** Most that one call may cost, OPG base units. */
  maxPerCall: bigint
  /** Most that the calls of any one hour may cost, OPG base units; 0 = no such limit. */
  ratePerHour: bigint
  /** Models that may be called; none = any. */
  models: readonly Hex[]
  /** Nodes that may serve; none = any. */
  nodes: readonly Address[]
  /** Unix seconds; calls that are asked for later are not paid. */
  expiry: bigint
  nonce: bigint
}

export const SPENDING_GRANT_TYPES = {
  SpendingGrant: [
    { name: 'payer', type: 'address' },
    { name: 'gateway', type: 'address' },
    { name: 'maxTotal', type: 'uint128' },
    { name: 'maxPerCall', type: 'uint128' },
    { name: 'ratePerHour', type: 'uint128' },
    { name: 'models', type: 'bytes32[]' },
    { name: 'nodes', type: 'address[]' },
    { name: 'expiry', type: 'uint64' },
    { name: 'nonce', type: 'uint256' },
  ],
} as const

/** Models, and nodes, that one grant may name where gateways and nodes of this program are to serve it. */
export const MAX_GRANT_LIST = 32
/**
 * Seconds after the end of a grant, by expiry or revocation, within which the answer to a call from before may still be
 * issued and paid (docs/spec.md §13): else whoever revokes would have what is being answered for free.
 */
export const GRANT_LEEWAY_SECONDS = 120n

const hashModels = arrayHasher('bytes32')
const hashNodes = arrayHasher('address')
const hashGrant = structHasher(
  encodeType('SpendingGrant', SPENDING_GRANT_TYPES.SpendingGrant),
  SPENDING_GRANT_TYPES.SpendingGrant.map(({ type }) =>
    type === 'bytes32[]' || type === 'address[]' ? 'bytes32' : type,
  ),
)

/** The 32 bytes that the payer signs, and the grant's id (docs/spec.md §4). */
export function grantIdOf(grant: SpendingGrant, deployment: Deployment): Hex {
  const { payer, gateway, maxTotal, maxPerCall, ratePerHour, models, nodes, expiry, nonce } = grant
  const lists = [hashModels(models), hashNodes(nodes)]
  const values = [payer, gateway, maxTotal, maxPerCall, ratePerHour, ...lists, expiry, nonce]
  return structDigest(hashGrant(values), deployment)
}

const encodePlace = staticEncoder(['bytes32', 'uint256'])

/** Identity of a call under a grant (docs/spec.md §3). */
export function grantRequestId(call: {
  chainId: number
  escrow: Address
  payer: Address
  grant: GrantCall
}): Hex {
  const place = keccak256(encodePlace([call.grant.id, call.grant.counter]))
  return requestIdOf({ ...call, scheme: SCHEME.grant, paymentNonce: place })
}

export function grantToJson(grant: SpendingGrant): { [name: string]: Json } {
  return {
    payer: grant.payer.toLowerCase(),
    gateway: grant.gateway.toLowerCase(),
    maxTotal: grant.maxTotal.toString(),
    maxPerCall: grant.maxPerCall.toString(),
    ratePerHour: grant.ratePerHour.toString(),
    models: grant.models.map((model) => model.toLowerCase()),
    nodes: grant.nodes.map((node) => node.toLowerCase()),
    expiry: grant.expiry.toString(),
    nonce: grant.nonce.toString(),
  }
}

/** @throws AssayError `malformed` */
export function grantFromJson(value: Json | undefined, where = 'grant'): SpendingGrant {
  const grant = readObject(
    value,
    where,
    SPENDING_GRANT_TYPES.SpendingGrant.map((field) => field.name),
  )
  return {
    payer: readAddress(grant.payer, `${where}.payer`),
    gateway: readAddress(grant.gateway, `${where}.gateway`),
    maxTotal: readUint(grant.maxTotal, `${where}.maxTotal`, 128),
    maxPerCall: readUint(grant.maxPerCall, `${where}.maxPerCall`, 128),
    ratePerHour: readUint(grant.ratePerHour, `${where}.ratePerHour`, 128),
    models: readArray(grant.models, `${where}.models`, MAX_GRANT_LIST).map((model, at) =>
      readBytes(model, `${where}.models[${at}]`, 32),
    ),
    nodes: readArray(grant.nodes, `${where}.nodes`, MAX_GRANT_LIST).map((node, at) =>
      readAddress(node, `${where}.nodes[${at}]`),
    ),
    expiry: readUint(grant.expiry, `${where}.expiry`, 64),
    nonce: readUint(grant.nonce, `${where}.nonce`, 256),
  }
}

/** Header in which a gateway shows a node what pays for a call. */
export const GRANT_HEADER = 'assay-grant'
/** Longest header that is looked at, characters: two full lists and their signatures have about 6,000. */
const MAX_GRANT_HEADER = 8192

/**
 * What pays for one call under a grant: the payer's word for all of them, and the gateway's for this one, without which
 * anybody who saw a grant could spend it.
 */
export type GrantPass = {
  grant: SpendingGrant
  counter: bigint
  /** RequestAuth on the request, signed by the grant's gateway. */
  auth: SignedRequestAuth
}

export function encodeGrantHeader({ grant, counter, auth }: GrantPass): string {
  const pass = { grant: grantToJson(grant), counter: counter.toString(), auth: requestAuthToJson(auth) }
  return toBase64Url(canonicalJsonBytes(pass))
}

/** @throws AssayError `malformed` | `non_canonical` */
export function decodeGrantHeader(text: string): GrantPass {
  const bytes = fromBase64Url(text.slice(0, MAX_GRANT_HEADER))
  const members = readObject(parseCanonicalJson(bytes, MAX_GRANT_HEADER), 'pass', [
    'auth',
    'counter',
    'grant',
  ])
  return {
    grant: grantFromJson(members.grant),
    counter: readUint(members.counter, 'counter', 64),
    auth: requestAuthFromJson(members.auth, 'auth'),
  }
}

/** What every key begins with, so that people, log filters and secret scanners know one. */
export const API_KEY_PREFIX = 'assay_'

/** Key of 32 random bytes under which a client is served: bytes that only its holder ever has. */
export function apiKeyOf(random: Uint8Array): string {
  return `${API_KEY_PREFIX}${toBase64Url(random)}`
}

export function isApiKey(text: string): boolean {
  return /^assay_[A-Za-z0-9_-]{43}$/.test(text)
}

/** What a gateway keeps of a key; 256 random bits need no salt. */
export function apiKeyHash(key: string): Hex {
  return keccak256(stringToBytes(key))
}

/** The payer's word that whoever holds the key behind a hash may call under a grant. */
export type ApiKeyStatement = {
  grantId: Hex
  keyHash: Hex /** False takes it back, for good. */
  allowed: boolean
}

export function apiKeyDigest(statement: ApiKeyStatement, deployment: Deployment): Hex {
  return hashTypedData({
    domain: assayDomain(deployment),
    types: {
      ApiKey: [
        { name: 'grantId', type: 'bytes32' },
        { name: 'keyHash', type: 'bytes32' },
        { name: 'allowed', type: 'bool' },
      ],
    },
    primaryType: 'ApiKey',
    message: statement,
  })
}
