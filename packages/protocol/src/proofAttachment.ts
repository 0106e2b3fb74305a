import type { Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { fromBase64, toBase64 } from './base64/base64.ts'
import type { Json } from './canonicalJson.ts'
import type { HttpRequestBytes, HttpResponseBytes } from './http.ts'
import { requestFromJson, requestToJson, responseFromJson, responseToJson } from './httpJson.ts'
import { readBytes, readObject, readString } from './schema.ts'
import { staticEncoder } from './staticEncoder.ts'
import { TAGS } from './tag.ts'

/** Longest proof, bytes: that of ten million parameters is 0.75 MB. */
export const MAX_PROOF_BYTES = 2 ** 21
/** Longest body of a request or an answer under mode zk, bytes: both stand in the batch file. */
export const MAX_PROVEN_BODY_BYTES = 2 ** 20
/** Longest card, bytes. */
const MAX_CARD_BYTES = 2 ** 18
const base64Length = (bytes: number) => Math.ceil(bytes / 3) * 4

/**
 * The proof of an inference, the card of the model (docs/zkml.md) that it is checked with, and the root of the tape of that
 * check, by which any step of it can be shown.
 */
export type ProofBytes = { card: Uint8Array; proof: Uint8Array; tape: Hex }

/** What a receipt of mode zk is proved by: the bodies that the tensors are read from, and the proof about them. */
export type ProofAttachment = ProofBytes & { request: HttpRequestBytes; response: HttpResponseBytes }

const encodeEvidence = staticEncoder(['bytes32', 'bytes32', 'bytes32', 'bytes32'])

/** `evidenceHash` of a receipt of mode zk: model, input and output (docs/spec.md §4). */
export function zkEvidenceHash(statement: { modelRoot: Hex; inputHash: Hex; outputHash: Hex }): Hex {
  const { modelRoot, inputHash, outputHash } = statement
  return keccak256(encodeEvidence([TAGS.zkEvidence, modelRoot, inputHash, outputHash]))
}

const encodeCircuit = staticEncoder(['bytes32', 'bytes32', 'bytes32', 'bytes32', 'uint64'])

/** What a publisher registers: the model, and the program by which its proofs are checked. */
export type ZkCircuit = {
  modelRoot: Hex
  weightsRoot: Hex
  programRoot: Hex
  /** Gates of the program. */
  gates: number
}

/** What the registry holds as the weights of a circuit. */
export function zkCircuitHash(circuit: ZkCircuit): Hex {
  const { modelRoot, weightsRoot, programRoot, gates } = circuit
  return keccak256(encodeCircuit([TAGS.zkCircuit, modelRoot, weightsRoot, programRoot, BigInt(gates)]))
}

export function proofToJson({ card, proof, tape }: ProofBytes): { [name: string]: Json } {
  return { card: toBase64(card), proof: toBase64(proof), tape }
}

/** @throws AssayError `malformed` */
export function proofFromJson(value: Json | undefined, where: string): ProofBytes {
  const members = readObject(value, where, ['card', 'proof', 'tape'])
  const read = (name: 'card' | 'proof', bytes: number) =>
    fromBase64(readString(members[name], `${where}.${name}`, base64Length(bytes)))
  return {
    card: read('card', MAX_CARD_BYTES),
    proof: read('proof', MAX_PROOF_BYTES),
    tape: readBytes(members.tape, `${where}.tape`, 32),
  }
}

export function proofAttachmentToJson(zk: ProofAttachment): { [name: string]: Json } {
  return { ...proofToJson(zk), request: requestToJson(zk.request), response: responseToJson(zk.response) }
}

/** @throws AssayError `malformed` | `non_canonical` */
export function proofAttachmentFromJson(value: Json | undefined, where = 'zk'): ProofAttachment {
  const { request, response, ...proof } = readObject(value, where, [
    'card',
    'proof',
    'request',
    'response',
    'tape',
  ])
  const body = base64Length(MAX_PROVEN_BODY_BYTES)
  return {
    ...proofFromJson(proof, where),
    request: requestFromJson(request, `${where}.request`, body),
    response: responseFromJson(response, `${where}.response`, body),
  }
}
