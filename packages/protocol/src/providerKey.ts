import { type Address, type Hex, stringToBytes } from 'viem'
import { keccak256 } from '#keccak256'
import { canonicalJsonBytes, type Json, parseCanonicalJson } from './canonicalJson.ts'
import { type Deployment, structDigest } from './domain.ts'
import { AssayError } from './errors.ts'
import { readAddress, readBytes, readObject, readString, readUint } from './schema.ts'
import { encodeType, structHasher } from './typedData.ts'

/** Where a node takes keys of providers, encrypted to its enclave and nothing else (docs/spec.md §12). */
export const PROVIDER_KEYS_PATH = '/v1/provider-keys'

/** The key of a provider's API, from its owner to one enclave: nobody in between, the enclave's host included, reads it. */
export type ProviderKey = {
  /** Address of the signing key of the enclave that it is for; a message that was recorded is worth nothing to the next. */
  enclave: Address
  /** The only one that it may be shown to, e.g. `anthropic`: a host that writes the node's files cannot send it elsewhere. */
  provider: string
  /** What the node's file of upstream models calls it. */
  name: string
  secret: string
  /** Above that of every one before it under this name, so that no older one is put back; milliseconds of the sender's clock will do. */
  sequence: bigint
}
export type SignedProviderKey = { key: ProviderKey; signature: Hex }

/** A key and all that stands around it, bytes. */
export const MAX_PROVIDER_KEY_BYTES = 8192

const FIELDS = [
  { name: 'enclave', type: 'address' },
  { name: 'provider', type: 'string' },
  { name: 'name', type: 'string' },
  { name: 'secret', type: 'string' },
  { name: 'sequence', type: 'uint64' },
] as const

// A string is signed by its hash (EIP-712, "Definition of encodeData").
const hashProviderKey = structHasher(
  encodeType('ProviderKey', FIELDS),
  FIELDS.map(({ type }) => (type === 'string' ? 'bytes32' : type)),
)

/** The 32 bytes that the node's operator signs (docs/spec.md §4). */
export function providerKeyDigest(key: ProviderKey, deployment: Deployment): Hex {
  const { enclave, provider, name, secret, sequence } = key
  const texts = [provider, name, secret].map((text) => keccak256(stringToBytes(text)))
  return structDigest(hashProviderKey([enclave, ...texts, sequence]), deployment)
}

/** What the name of a key may be: a word. */
export function isProviderKeyName(text: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)
}

/** One line of printable ASCII: what is no field value (RFC 9110 §5.5) would break the request, and an error about it might quote the key. */
export function isProviderSecret(text: string): boolean {
  return /^[\x21-\x7e]{1,4096}$/.test(text)
}

export function encodeProviderKey({ key, signature }: SignedProviderKey): Uint8Array {
  const { enclave, provider, name, secret, sequence } = key
  const members = { enclave: enclave.toLowerCase(), provider, name, secret, sequence: sequence.toString() }
  return canonicalJsonBytes({ key: members, signature })
}

/** @throws AssayError `malformed` | `non_canonical`, without the secret in it */
export function decodeProviderKey(bytes: Uint8Array): SignedProviderKey {
  const members = readObject(parseCanonicalJson(bytes, MAX_PROVIDER_KEY_BYTES), 'body', ['key', 'signature'])
  const key = readObject(
    members.key,
    'key',
    FIELDS.map(({ name }) => name),
  )
  return {
    key: {
      enclave: readAddress(key.enclave, 'key.enclave'),
      provider: readString(key.provider, 'key.provider', 64),
      name: readText(key.name, 'key.name', isProviderKeyName, 'a word of at most 64 characters'),
      secret: readText(key.secret, 'key.secret', isProviderSecret, 'one line of at most 4096 characters'),
      sequence: readUint(key.sequence, 'key.sequence', 64),
    },
    signature: readBytes(members.signature, 'signature', 65),
  }
}

function readText(
  value: Json | undefined,
  where: string,
  fits: (text: string) => boolean,
  what: string,
): string {
  if (typeof value === 'string' && fits(value)) return value
  throw new AssayError(`${where} must be ${what}.`, { code: 'malformed' })
}
