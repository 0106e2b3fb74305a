import { fromBase64, type GpuEvidence } from '@assay/protocol'
import type { Hex } from 'viem'
import { isObject } from '../jose/jws.ts'
import { readPemCertificates } from '../x509/pem.ts'

/** Eight H100 make 100 KB. */
const MAX_CHARACTERS = 1_048_576
const MAX_GPUS = 64

/** What NVIDIA's tools write for one GPU, as it goes to its attestation service too. */
export type GpuEvidenceEntry = {
  /** The challenge the entry names; what counts is the one inside the report. */
  nonce: Hex | undefined
  evidence: GpuEvidence
}

function readEntry(entry: unknown): GpuEvidenceEntry {
  if (!isObject(entry) || typeof entry.evidence !== 'string' || typeof entry.certificate !== 'string') {
    throw new Error('an entry is an object with evidence and certificate')
  }
  const { nonce } = entry
  const pem = new TextDecoder().decode(fromBase64(entry.certificate))
  return {
    nonce:
      typeof nonce === 'string' && /^[0-9a-fA-F]{64}$/.test(nonce) ? `0x${nonce.toLowerCase()}` : undefined,
    // The driver hands the chain out leaf first.
    evidence: { report: fromBase64(entry.evidence), certificates: readPemCertificates(pem).reverse() },
  }
}

/** Reads the evidence list that NVIDIA's tools write: `[{"evidence": base64, "certificate": base64 of PEM, …}]`. @throws Error */
export function parseGpuEvidence(text: string): GpuEvidenceEntry[] {
  if (text.length > MAX_CHARACTERS) throw new Error(`the text has ${text.length} characters`)
  const list: unknown = JSON.parse(text)
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_GPUS) {
    throw new Error('the evidence is a list of 1 to 64 GPUs')
  }
  return list.map(readEntry)
}
