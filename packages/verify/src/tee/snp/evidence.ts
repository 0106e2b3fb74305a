import {
  AssayError,
  canonicalJsonBytes,
  fromBase64,
  type Json,
  parseCanonicalJson,
  readObject,
  readString,
  toBase64,
} from '@assay/protocol'
import type { SnpEvidence } from './verifySnp.ts'

/** A report with its three certificates has about 9 KB, a revocation list 3 KB. */
const MAX_EVIDENCE_BYTES = 65_536
const MAX_TEXT = 32_768
const CERTIFICATES = 3
const FORMAT = 'assay-snp/1'

/** The `document` of registration evidence of kind `snp` (docs/spec.md): canonical JSON. */
export function encodeSnpEvidence({ report, certificates, crl }: SnpEvidence): Uint8Array {
  return canonicalJsonBytes({
    format: FORMAT,
    report: toBase64(report),
    certificates: certificates.map(toBase64),
    ...(crl === undefined ? {} : { crl: toBase64(crl) }),
  })
}

const bytesOf = (value: Json | undefined, name: string) => fromBase64(readString(value, name, MAX_TEXT))

/** Reads such a document, and believes nothing of it yet. @throws AssayError `malformed` | `non_canonical` */
export function decodeSnpEvidence(document: Uint8Array): SnpEvidence {
  const json = parseCanonicalJson(document, MAX_EVIDENCE_BYTES)
  const members = readObject(json, 'evidence', ['certificates', 'format', 'report'], ['crl'])
  const { certificates, crl } = members
  if (members.format !== FORMAT || !Array.isArray(certificates) || certificates.length !== CERTIFICATES) {
    throw new AssayError('The evidence is of another format.', {
      code: 'malformed',
      facts: { expected: FORMAT, certificates: CERTIFICATES },
    })
  }
  return {
    report: bytesOf(members.report, 'report'),
    certificates: certificates.map((certificate, at) => bytesOf(certificate, `certificates[${at}]`)),
    crl: crl === undefined ? undefined : bytesOf(crl, 'crl'),
  }
}
