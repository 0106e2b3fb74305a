import { type Address, type Hex, hexToBytes } from 'viem'
import { keccak256 } from '#keccak256'
import { type Deployment, structDigest } from './domain.ts'
import type { ProofAttachment } from './proofAttachment.ts'
import { staticEncoder } from './staticEncoder.ts'
import { TAGS } from './tag.ts'
import { encodeType, structHasher } from './typedData.ts'

export const ENGINE_CLASS = { enclave: 0, providerProxy: 1, unattested: 2 } as const
export const MODE = { bonded: 0, tee: 1, zk: 2, replay: 3 } as const
export const STATUS = { complete: 0, cancelled: 1, failed: 2 } as const
export const MODE_NAMES = ['bonded', 'tee', 'zk', 'replay'] as const
export type ModeName = (typeof MODE_NAMES)[number]

/** Seconds by which clocks of honest machines may differ, and block time rounding (docs/spec.md §4). */
export const SKEW_SECONDS = 5n
/** Longest time from a receipt's signing to its commit, seconds. */
export const MAX_AGE_SECONDS = 86_400n

/** What a node signs about one answer; field order is the EIP-712 order (docs/spec.md §4). */
export type Receipt = {
  version: number
  requestId: Hex
  /** Who pays and is refunded. */
  payer: Address
  /** Operator whose bond stands behind the answer. */
  node: Address
  /** Signing key of this enclave boot. */
  key: Address
  /** Strictly increasing per key. */
  seq: bigint
  /** Gateway that is to batch it. */
  committer: Address
  /** Last second at which only the committer may batch it. */
  includeBy: bigint
  modelId: Hex
  priceVersion: bigint
  engineClass: number
  mode: number
  status: number
  requestHash: Hex
  responseHash: Hex
  evidenceHash: Hex
  inputUnits: bigint
  outputUnits: bigint
  /** OPG base units. */
  price: bigint
  /** OPG base units. */
  valueAtRisk: bigint
  anchorBlock: bigint
  anchorHash: Hex
  /** Unix seconds. */
  issuedAt: bigint
}

export type SignedReceipt = { receipt: Receipt; signature: Hex }

/** Place of a call under the spending grant that pays for it. */
export type GrantCall = { id: Hex; counter: bigint }
/** A receipt as a batch holds it; without `grant`, the call paid for itself. `zk` is what proves one of mode zk. */
export type BatchEntry = SignedReceipt & {
  grant?: GrantCall | undefined
  zk?: ProofAttachment | undefined
}

export const RECEIPT_FIELDS = [
  { name: 'version', type: 'uint8' },
  { name: 'requestId', type: 'bytes32' },
  { name: 'payer', type: 'address' },
  { name: 'node', type: 'address' },
  { name: 'key', type: 'address' },
  { name: 'seq', type: 'uint64' },
  { name: 'committer', type: 'address' },
  { name: 'includeBy', type: 'uint64' },
  { name: 'modelId', type: 'bytes32' },
  { name: 'priceVersion', type: 'uint64' },
  { name: 'engineClass', type: 'uint8' },
  { name: 'mode', type: 'uint8' },
  { name: 'status', type: 'uint8' },
  { name: 'requestHash', type: 'bytes32' },
  { name: 'responseHash', type: 'bytes32' },
  { name: 'evidenceHash', type: 'bytes32' },
  { name: 'inputUnits', type: 'uint64' },
  { name: 'outputUnits', type: 'uint64' },
  { name: 'price', type: 'uint128' },
  { name: 'valueAtRisk', type: 'uint128' },
  { name: 'anchorBlock', type: 'uint64' },
  { name: 'anchorHash', type: 'bytes32' },
  { name: 'issuedAt', type: 'uint64' },
] as const

export const RECEIPT_TYPES = { Receipt: RECEIPT_FIELDS } as const

const hashReceipt = structHasher(
  encodeType('Receipt', RECEIPT_FIELDS),
  RECEIPT_FIELDS.map(({ type }) => type),
)

/** Hashes of receipts that cannot change: a validator needs each twice, in the leaf and in what was signed. */
const structHashes = new WeakMap<Receipt, Hex>()

/** EIP-712 struct hash, without the domain. */
export function receiptStructHash(receipt: Receipt): Hex {
  const known = structHashes.get(receipt)
  if (known !== undefined) return known
  const hash = hashReceipt(RECEIPT_FIELDS.map((field) => receipt[field.name]))
  if (Object.isFrozen(receipt)) structHashes.set(receipt, hash)
  return hash
}

/** The 32 bytes that the node's key signs. */
export function receiptDigest(receipt: Receipt, deployment: Deployment): Hex {
  return structDigest(receiptStructHash(receipt), deployment)
}

/** Hash of a signature's 65 bytes: what the leaf commits to, and what settles a receipt on chain. */
export function signatureHash(signature: Hex): Hex {
  return keccak256(hexToBytes(signature))
}

/** What is lost if the receipt is a lie, OPG base units. */
export function receiptExposure(receipt: Receipt): bigint {
  if (receipt.valueAtRisk > receipt.price) return receipt.valueAtRisk
  return receipt.price
}

const encodeLeaf = staticEncoder(['bytes32', 'bytes32', 'bytes32', 'uint64'])

/** Leaf of the batch tree: commits to the signature too, so that no leaf can be paired with garbage (docs/spec.md §5). */
export function receiptLeaf({ receipt, signature, grant }: BatchEntry): Hex {
  const inner = encodeLeaf([
    TAGS.leaf,
    receiptStructHash(receipt),
    signatureHash(signature),
    grant?.counter ?? 0n,
  ])
  return keccak256(keccak256(inner))
}
