import { type AbiParameter, type Address, encodeAbiParameters, type Hex, parseAbiParameters } from 'viem'
import { keccak256 } from '#keccak256'
import type { Attestation } from './attestation.ts'
import {
  type Batch,
  type BatchHeader,
  contractEntry,
  type Group,
  type GroupHeader,
  groupNode,
  NO_GRANT,
  type Row,
} from './batch.ts'
import { AssayError } from './errors.ts'
import { findInnerLie, type InnerLie } from './innerLie.ts'
import { type SumNode, siblingsOf, sumTreeLevels } from './merkleSum.ts'
import type { ZkCircuit } from './proofAttachment.ts'
import { type BatchEntry, RECEIPT_FIELDS, type Receipt, type SignedReceipt } from './receipt.ts'
import { stateTape, type WordRun } from './statedTape.ts'
import { TAGS } from './tag.ts'

/** Classes of faults, as FaultManager numbers its adapters (docs/spec.md §11). */
export const FAULT_CLASS = {
  tee: 1,
  zk: 2,
  equivocation: 3,
  data: 4,
  replay: 5,
  sum: 6,
  row: 7,
  canary: 8,
} as const
/** What is wrong with a receipt's place or price; RowFault's kinds. */
export const ROW_FAULT = { foreignRow: 0, foreignGrant: 1, twice: 2, stranger: 3, overcharge: 4 } as const
/** Where a data challenge stands. */
export const CHALLENGE_STATE = { none: 0, open: 1, answered: 2, unanswered: 3 } as const

/** How a proof against a batch is taken, for one that may be, or is, a canary (`CanaryRegistry.stanceOf`). */
export const CANARY_STANCE = { plain: 0, held: 1, exempt: 2 } as const

/** What became of a canary (`CanaryRegistry.State`). */
export const CANARY_STATE = { none: 0, revealed: 1, spoiled: 2, closed: 3 } as const

const EQUIVOCATION = { node: 0n, validator: 1n } as const
const CONTENT = { leaf: 0, inner: 1, row: 2 } as const

const STRUCTS = [
  `struct Receipt { ${RECEIPT_FIELDS.map(({ type, name }) => `${type} ${name};`).join(' ')} }`,
  'struct Entry { Receipt receipt; bytes32 signatureHash; bytes32 grantId; uint64 counter; }',
  'struct Sibling { bytes32 hash; uint128 sum; uint128 exposure; uint64 count; bool left; }',
  'struct Path { Sibling[] leafSiblings; Sibling[] rowSiblings; Sibling[] groupSiblings; }',
  'struct SumNode { bytes32 hash; uint128 sum; uint128 exposure; uint64 count; }',
  'struct RowKey { address node; address payer; bytes32 grantId; bytes32 modelId; uint64 priceVersion; }',
  'struct TeeProof { bytes32 batchId; Entry entry; bytes signature; Path path; }',
  'struct NodeProof { Receipt first; bytes firstSignature; Receipt second; bytes secondSignature; bytes32 batchId; bytes32 grantId; uint64 counter; Path path; }',
  'struct Attestation { bytes32 batchId; bytes32 root; uint64 registryBlock; bool dataAvailable; uint8 verdict; }',
  'struct BatchName { address committer; uint64 height; bytes32 root; bytes32 dataHash; }',
  'struct ValidatorProof { Attestation first; bytes firstSignature; BatchName firstName; Attestation second; bytes secondSignature; BatchName secondName; }',
  'struct SumProof { bytes32 batchId; SumNode accused; uint8 content; Entry leaf; SumNode left; SumNode right; RowKey rowKey; SumNode rowTop; bool inRow; address node; Sibling[] leafSiblings; Sibling[] rowSiblings; Sibling[] groupSiblings; }',
  'struct Place { bytes32 batchId; Entry entry; RowKey key; address group; Path path; }',
  'struct RowProof { Place place; bytes signature; Place[] other; }',
  'struct DataSibling { bytes32 hash; bool left; }',
  'struct WordRun { bytes32[] words; bytes32[] siblings; }',
  'struct ZkProof { Place place; bytes signature; bytes32 tapeRoot; uint64 length; uint64 firstChunk; bytes chunks; DataSibling[][] siblings; uint256 start; bytes32 modelRoot; bytes32 weightsRoot; bytes32 programRoot; uint32 gates; uint32 gate; WordRun shownGate; WordRun shownValue; WordRun[] reads; }',
] as const

/** viem cannot infer types from a text built at run time; `encode*` below say what goes in. */
function parameters(text: string): readonly AbiParameter[] {
  return parseAbiParameters([text, ...STRUCTS]) as readonly AbiParameter[]
}

const TEE_PROOF = parameters('TeeProof proof')
const NODE_PROOF = parameters('uint256 kind, NodeProof proof')
const VALIDATOR_PROOF = parameters('uint256 kind, ValidatorProof proof')
const SUM_PROOF = parameters('SumProof proof')
const ZK_PROOF = parameters('ZkProof proof')
const ROW_PROOF = parameters('uint256 kind, RowProof proof')
const COMMITMENT = parseAbiParameters('address, uint8, bytes32, bytes32')
const FAULT_ID = parseAbiParameters('bytes32, uint8, bytes32')
const NODE_KEY = parseAbiParameters('uint256, address, uint64')
const VALIDATOR_KEY = parseAbiParameters('uint256, address, address, uint64')
const OVERCHARGE_KEY = parseAbiParameters('bytes32, uint256, address')
const CANARY = parseAbiParameters('bytes32, address, bytes32, bytes32')
const CHALLENGE_ID = parseAbiParameters('bytes32, uint8, uint64')

/** What is announced before a proof is shown: nobody else can use it. @param salt 32 random bytes */
export function faultCommitment(prover: Address, faultClass: number, proof: Hex, salt: Hex): Hex {
  return keccak256(encodeAbiParameters(COMMITMENT, [prover, faultClass, keccak256(proof), salt]))
}

/** Identity of a fault. For classes 1, 4, 6 and most of 7 its key is the batch id. */
export function faultIdOf(faultClass: number, faultKey: Hex): Hex {
  return keccak256(encodeAbiParameters(FAULT_ID, [TAGS.fault, faultClass, faultKey]))
}

/** Fault key of a node's equivocation: of the (key, seq) under which it signed twice. */
export function nodeEquivocationKey({ key, seq }: Pick<Receipt, 'key' | 'seq'>): Hex {
  return keccak256(encodeAbiParameters(NODE_KEY, [EQUIVOCATION.node, key, seq]))
}

/** Fault key of a validator's equivocation, on batches of one (committer, height). */
export function validatorEquivocationKey(validator: Address, committer: Address, height: bigint): Hex {
  return keccak256(encodeAbiParameters(VALIDATOR_KEY, [EQUIVOCATION.validator, validator, committer, height]))
}

/** Fault key of overcharging: each node answers for its own receipts in a batch. */
export function overchargeKey(batchId: Hex, node: Address): Hex {
  return keccak256(encodeAbiParameters(OVERCHARGE_KEY, [batchId, BigInt(ROW_FAULT.overcharge), node]))
}

/**
 * What may be demanded of a batch: a chunk of its file, the receipt at a place under its root, or the tape beside the receipt
 * there.
 */
export const DATA_PART = { chunk: 0, receipt: 1, tape: 2 } as const

/** Identity of a data challenge (docs/spec.md §11). */
export function challengeIdOf(batchId: Hex, part: number, index: bigint): Hex {
  return keccak256(encodeAbiParameters(CHALLENGE_ID, [batchId, part, index]))
}

/** `DataChallenge`'s proof: a challenge that nobody met. */
export function dataFaultProof(challengeId: Hex): Hex {
  return encodeAbiParameters(parseAbiParameters('bytes32'), [challengeId])
}

/** What a committer sows before it commits a batch that is false on purpose. @param salt 32 random bytes, kept till then */
export function canaryCommitment(sower: Address, batchId: Hex, salt: Hex): Hex {
  return keccak256(encodeAbiParameters(CANARY, [TAGS.canary, sower, batchId, salt]))
}

/** Class 8, the proof: a batch that its committer has revealed as its canary. The fault's key is the batch id. */
export function canaryFaultProof(batchId: Hex): Hex {
  return encodeAbiParameters(parseAbiParameters('bytes32'), [batchId])
}

/**
 * A receipt of a batch: by its request id, or the very object that stands in the batch, for one request may stand there
 * more than once, and not each time wrongly.
 */
export type InBatch = Hex | SignedReceipt

/** Class 1: the receipt's signature or key does not hold. @throws AssayError `not_found` */
export function teeFaultProof(batch: Batch, which: InBatch): Hex {
  const { batchId, entry, signature, path } = placeOf(batch, which)
  return encodeAbiParameters(TEE_PROOF, [{ batchId, entry, signature, path }])
}

/** A step of a proof's verification that does not hold: a gate of the model's program (docs/zkml.md). */
export type FalseStep = ZkCircuit & {
  gate: number
  shownGate: WordRun
  shownValue: WordRun
  /** What the gate reads of the tape. */
  reads: readonly WordRun[]
}

/**
 * Class 2: a step of the check of the proof beside a receipt of mode zk does not hold.
 * @throws AssayError `not_found` where the file holds no such receipt with its proof
 */
export function zkFaultProof(batch: Batch, entry: BatchEntry, step: FalseStep): Hex {
  const { signature: _, ...place } = placeOf(batch, entry)
  const stated = stateTape(batch.file, entry)
  if (stated === undefined) throw notFound(entry.receipt.requestId)
  const { root, ...file } = stated
  const { batchId } = batch
  return encodeAbiParameters(ZK_PROOF, [{ place: { ...place, batchId }, tapeRoot: root, ...file, ...step }])
}

/**
 * Class 3: two receipts under one (key, seq).
 * @param batch one that holds `first`; it becomes void and `first`'s payer is refunded
 * @throws AssayError `not_found` where it does not
 */
export function nodeEquivocationProof(first: SignedReceipt, second: SignedReceipt, batch?: Batch): Hex {
  const place = batch === undefined ? undefined : placeOf(batch, first)
  const proof = {
    first: first.receipt,
    firstSignature: first.signature,
    second: second.receipt,
    secondSignature: second.signature,
    batchId: batch?.batchId ?? NO_GRANT,
    grantId: place?.entry.grantId ?? NO_GRANT,
    counter: place?.entry.counter ?? 0n,
    path: place?.path ?? EMPTY_PATH,
  }
  return encodeAbiParameters(NODE_PROOF, [EQUIVOCATION.node, proof])
}

/** A signed attestation and what its batch id is the hash of. */
export type NamedAttestation = {
  attestation: Attestation
  signature: Hex
  batch: Pick<BatchHeader, 'committer' | 'height' | 'root' | 'dataHash'>
}

/** Class 3: a validator that signed for two batches of one (committer, height), or two verdicts on one batch. */
export function validatorEquivocationProof(first: NamedAttestation, second: NamedAttestation): Hex {
  const nameOf = ({ batch: { committer, height, root, dataHash } }: NamedAttestation) => ({
    committer,
    height,
    root,
    dataHash,
  })
  const proof = {
    first: first.attestation,
    firstSignature: first.signature,
    firstName: nameOf(first),
    second: second.attestation,
    secondSignature: second.signature,
    secondName: nameOf(second),
  }
  return encodeAbiParameters(VALIDATOR_PROOF, [EQUIVOCATION.validator, proof])
}

/**
 * Class 6: what a committer put on chain states other totals than the receipts have, in the totals of a group or at one
 * node below them.
 * @param batch as its file states it
 * @param committed the groups of the commit
 * @param batchId of the commit; another than the batch's own, since the root holds what was stated
 * @returns undefined where no group lies, or more than one node of it does
 */
export function sumFaultProof(
  batch: Batch,
  committed: readonly GroupHeader[],
  batchId: Hex,
): Hex | undefined {
  for (const [index, header] of committed.entries()) {
    const group = batch.groups.find(({ node }) => node.toLowerCase() === header.node.toLowerCase())
    const lie = group && lieAbout(group, header)
    if (lie === undefined) continue
    const children = lie.content === 'inner' ? lie : { left: lie.row.top, right: lie.row.top }
    const proof = {
      batchId,
      accused: lie.accused,
      content: CONTENT[lie.content],
      leaf: contractEntry(lie.content === 'leaf' ? lie.entry : (lie.row.receipts[0] as BatchEntry)),
      left: children.left,
      right: children.right,
      rowKey: rowKey(lie.row),
      rowTop: lie.row.top,
      inRow: lie.inRow,
      node: header.node,
      leafSiblings: lie.leafSiblings,
      rowSiblings: lie.rowSiblings,
      groupSiblings: siblingsOf(committedLevels(committed), index),
    }
    return encodeAbiParameters(SUM_PROOF, [proof])
  }
  return undefined
}

/** Where a committed group states false totals: at its own top, or at a node below. */
function lieAbout(group: Group, header: GroupHeader): InnerLie | undefined {
  const { top: hash, sum, exposure, count } = header
  if (hash !== group.top.hash) return findInnerLie(group, header)
  if (sum === group.top.sum && exposure === group.top.exposure && count === group.top.count) return undefined
  const [left, right] = group.levels.at(-2) ?? []
  const [row] = group.rows as [Row]
  const place = { row, inRow: false, leafSiblings: [], rowSiblings: [] }
  const accused = { hash, sum, exposure, count }
  return left !== undefined && right !== undefined
    ? { accused, ...place, content: 'inner', left, right }
    : { accused, ...place, content: 'row' }
}

/** Class 7: the receipt does not belong in its row, its batch or its price. @throws AssayError `not_found` */
export function rowFaultProof(kind: keyof typeof ROW_FAULT, batch: Batch, which: InBatch): Hex {
  const { signature: signed, ...place } = placeOf(batch, which)
  const signature = kind === 'overcharge' ? signed : ('0x' as const)
  return encodeAbiParameters(ROW_PROOF, [BigInt(ROW_FAULT[kind]), { place, signature, other: [] }])
}

/**
 * Class 7: one call of a grant twice, in one batch or in two of one committer.
 * @throws AssayError `not_found` where it does not stand twice
 */
export function twiceFaultProof(first: Batch, second: Batch, requestId: Hex): Hex {
  // A place that is not under a grant proves nothing here.
  const granted = (batch: Batch) =>
    placesOf(batch, requestId).filter(({ entry }) => entry.grantId !== NO_GRANT)
  const [found, next] = granted(first)
  const against = first.batchId === second.batchId ? next : granted(second)[0]
  if (found === undefined || against === undefined) throw notFound(requestId)
  const { signature: _, ...place } = found
  const { signature: __, ...other } = against
  return encodeAbiParameters(ROW_PROOF, [
    BigInt(ROW_FAULT.twice),
    { place, signature: '0x' as Hex, other: [other] },
  ])
}

/**
 * The answer to a demand for the receipt at a place under the root, 0 = first (`DataChallenge.showReceipt`).
 * @throws AssayError `not_found`
 */
export function proveReceiptAt(batch: Batch, index: number) {
  const { entry, path } = entryAt(batch, index)
  return { entry: contractEntry(entry), signature: entry.signature, path }
}

/**
 * The first answer to a demand for the tape beside the receipt at a place (`DataChallenge.showTapeRoot`).
 * @throws AssayError `not_found` where no tape is stated there
 */
export function proveTapeAt(batch: Batch, index: number, circuit: ZkCircuit) {
  const { entry, path } = entryAt(batch, index)
  const stated = stateTape(batch.file, entry)
  if (stated === undefined) throw notFound(entry.receipt.requestId)
  const { modelRoot, weightsRoot, programRoot, gates } = circuit
  return {
    entry: contractEntry(entry),
    path,
    ...stated,
    circuit: { modelRoot, weightsRoot, programRoot, gates },
  }
}

/** The receipt at a place under the root, 0 = first, and the way there. @throws AssayError `not_found` */
export function entryAt(batch: Batch, index: number) {
  let start = 0
  for (const [groupIndex, group] of batch.groups.entries()) {
    for (const [rowIndex, row] of group.rows.entries()) {
      const place = index - start
      start += row.receipts.length
      const entry = row.receipts[place]
      if (entry === undefined) continue
      const path = {
        leafSiblings: siblingsOf(row.levels, place),
        rowSiblings: siblingsOf(group.levels, rowIndex),
        groupSiblings: siblingsOf(batch.groupLevels, groupIndex),
      }
      return { entry, path }
    }
  }
  throw new AssayError('The batch holds no receipt at that place.', { code: 'not_found', facts: { index } })
}

const EMPTY_PATH = { leafSiblings: [], rowSiblings: [], groupSiblings: [] }

function rowKey({ node, payer, grantId, modelId, priceVersion }: Row) {
  return { node, payer, grantId, modelId, priceVersion }
}

/** Where it stands first. @throws AssayError `not_found` */
function placeOf(batch: Batch, which: InBatch) {
  const [place] = placesOf(batch, which)
  if (place === undefined) throw notFound(typeof which === 'string' ? which : which.receipt.requestId)
  return place
}

/** Every place at which it stands, by the rows that the batch states. */
function placesOf(batch: Batch, which: InBatch) {
  return batch.groups.flatMap((group, groupIndex) =>
    group.rows.flatMap((row, rowIndex) =>
      row.receipts.flatMap((entry, index) => {
        const { receipt, signature } = entry
        if (typeof which === 'string' ? receipt.requestId !== which : receipt !== which.receipt) return []
        const path = {
          leafSiblings: siblingsOf(row.levels, index),
          rowSiblings: siblingsOf(group.levels, rowIndex),
          groupSiblings: siblingsOf(batch.groupLevels, groupIndex),
        }
        const place = { batchId: batch.batchId, entry: contractEntry(entry), key: rowKey(row) }
        return [{ ...place, group: group.node, path, signature }]
      }),
    ),
  )
}

/** The tree that Settlement builds of the groups it is given. */
function committedLevels(committed: readonly GroupHeader[]): SumNode[][] {
  return sumTreeLevels(
    committed.map(({ node, top, sum, exposure, count }) =>
      groupNode(node, { hash: top, sum, exposure, count }),
    ),
  )
}

function notFound(requestId: Hex): AssayError {
  return new AssayError('The batch holds no such receipt, or not as often.', {
    code: 'not_found',
    facts: { requestId },
  })
}
