import type { Hex } from 'viem'
import { keccak256 } from '#keccak256'
import { fromBase64, toBase64 } from './base64/base64.ts'
import { canonicalJsonBytes, type Json } from './canonicalJson.ts'
import { AssayError } from './errors.ts'
import { readArray, readBytes, readObject, readString, readUint } from './schema.ts'

/** The largest, a quote with its collateral and event log, and the reports of eight GPUs, has about 160 KB in base64. */
export const MAX_EVIDENCE_BYTES = 262_144
/** No server holds more. */
const MAX_GPUS = 16
const MAX_GPU_CERTIFICATES = 6
const MAX_DOCUMENT_TEXT = 256 * 1024
const MAX_GPU_TEXT = 64 * 1024

/** What a GPU says of itself, asked with `gpuNonce(…)` of the enclave that it works for. */
export type GpuEvidence = {
  /** SPDM GET_MEASUREMENTS request and response. */
  report: Uint8Array
  /** DER, root first. (The driver hands the chain out leaf first.) */
  certificates: readonly Uint8Array[]
}

/** Attestation evidence behind a signing key (docs/spec.md §8). */
export type Evidence = {
  kind: string
  document: Uint8Array
  tlsKeyHash: Hex
  hpkeKeyHash: Hex
  /** Block that the document is younger than: its hash is part of what the document binds. */
  anchorBlock: bigint
  anchorHash: Hex
  /** GPUs of the same machine, at least one; absent where it has none. */
  gpus?: readonly GpuEvidence[] | undefined
}

export function evidenceToJson(evidence: Evidence): { [name: string]: Json } {
  const { gpus } = evidence
  return {
    kind: evidence.kind,
    document: toBase64(evidence.document),
    tlsKeyHash: evidence.tlsKeyHash,
    hpkeKeyHash: evidence.hpkeKeyHash,
    anchorBlock: evidence.anchorBlock.toString(),
    anchorHash: evidence.anchorHash,
    ...(gpus === undefined ? {} : { gpus: gpus.map(gpuToJson) }),
  }
}

function gpuToJson({ report, certificates }: GpuEvidence): { [name: string]: Json } {
  return { report: toBase64(report), certificates: certificates.map(toBase64) }
}

/** Hash under which evidence is registered: of its canonical JSON. */
export function evidenceHashOf(evidence: Evidence): Hex {
  return keccak256(canonicalJsonBytes(evidenceToJson(evidence)))
}

/** @throws AssayError `malformed` */
export function evidenceFromJson(value: Json | undefined, where = 'evidence'): Evidence {
  const names = ['anchorBlock', 'anchorHash', 'document', 'hpkeKeyHash', 'kind', 'tlsKeyHash']
  const members = readObject(value, where, names, ['gpus'])
  return {
    kind: readString(members.kind, `${where}.kind`, 32),
    document: fromBase64(readString(members.document, `${where}.document`, MAX_DOCUMENT_TEXT)),
    tlsKeyHash: readBytes(members.tlsKeyHash, `${where}.tlsKeyHash`, 32),
    hpkeKeyHash: readBytes(members.hpkeKeyHash, `${where}.hpkeKeyHash`, 32),
    anchorBlock: readUint(members.anchorBlock, `${where}.anchorBlock`, 64),
    anchorHash: readBytes(members.anchorHash, `${where}.anchorHash`, 32),
    ...(members.gpus === undefined ? {} : { gpus: gpusFromJson(members.gpus, `${where}.gpus`) }),
  }
}

function gpusFromJson(value: Json, where: string): GpuEvidence[] {
  const list = readArray(value, where, MAX_GPUS)
  // None at all is said by leaving the member out, so that it is said in one way.
  if (list.length === 0) throw new AssayError(`${where} must not be empty.`, { code: 'malformed' })
  return list.map((entry, at) => {
    const place = `${where}[${at}]`
    const { report, certificates } = readObject(entry, place, ['certificates', 'report'])
    const bytes = (text: Json | undefined, name: string) =>
      fromBase64(readString(text, `${place}.${name}`, MAX_GPU_TEXT))
    return {
      report: bytes(report, 'report'),
      certificates: readArray(certificates, `${place}.certificates`, MAX_GPU_CERTIFICATES).map((one) =>
        bytes(one, 'certificates'),
      ),
    }
  })
}
