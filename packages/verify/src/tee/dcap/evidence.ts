import {
  AssayError,
  canonicalJsonBytes,
  fromBase64,
  parseCanonicalJson,
  readObject,
  readString,
  toBase64,
} from '@assay/protocol'
import type { DcapCollateral } from './collateral.ts'

/** A quote with what it is judged by, as whoever registers a key brings it. */
export type DcapEvidence = {
  quote: Uint8Array
  collateral: DcapCollateral
  /** JSON text of the guest agent (`readEventLog`); only where one is kept. */
  eventLog?: string | undefined
}

/** Real evidence has about 30 KB; 40 KB with an event log. */
const MAX_EVIDENCE_BYTES = 262_144
const MAX_TEXT = 131_072
const FORMAT = 'assay-dcap/1'

const TEXTS = [
  'pckCrlIssuerChain',
  'qeIdentity',
  'qeIdentityIssuerChain',
  'tcbInfo',
  'tcbInfoIssuerChain',
] as const
const BYTES = ['pckCrl', 'qeIdentitySignature', 'rootCaCrl', 'tcbInfoSignature'] as const

/** The `document` of registration evidence of kind `tdx` or `sgx` (docs/spec.md §8): canonical JSON. */
export function encodeDcapEvidence({ quote, collateral, eventLog }: DcapEvidence): Uint8Array {
  return canonicalJsonBytes({
    format: FORMAT,
    quote: toBase64(quote),
    collateral: Object.fromEntries([
      ...TEXTS.map((name) => [name, collateral[name]] as const),
      ...BYTES.map((name) => [name, toBase64(collateral[name])] as const),
      ...(collateral.pckChain === undefined ? [] : [['pckChain', collateral.pckChain] as const]),
    ]),
    ...(eventLog === undefined ? {} : { eventLog }),
  })
}

/** Reads such a document, and believes nothing of it yet. @throws AssayError `malformed` | `non_canonical` */
export function decodeDcapEvidence(document: Uint8Array): DcapEvidence {
  const json = parseCanonicalJson(document, MAX_EVIDENCE_BYTES)
  const members = readObject(json, 'evidence', ['collateral', 'format', 'quote'], ['eventLog'])
  if (members.format !== FORMAT) {
    throw new AssayError('The evidence is of another format.', {
      code: 'malformed',
      facts: { expected: FORMAT },
    })
  }
  const collateral = readObject(members.collateral, 'collateral', [...TEXTS, ...BYTES], ['pckChain'])
  const text = (name: (typeof TEXTS)[number]) => readString(collateral[name], name, MAX_TEXT)
  const bytes = (name: (typeof BYTES)[number]) => fromBase64(readString(collateral[name], name, MAX_TEXT))
  return {
    quote: fromBase64(readString(members.quote, 'quote', MAX_TEXT)),
    collateral: {
      ...(collateral.pckChain === undefined
        ? {}
        : { pckChain: readString(collateral.pckChain, 'pckChain', MAX_TEXT) }),
      pckCrlIssuerChain: text('pckCrlIssuerChain'),
      rootCaCrl: bytes('rootCaCrl'),
      pckCrl: bytes('pckCrl'),
      tcbInfoIssuerChain: text('tcbInfoIssuerChain'),
      tcbInfo: text('tcbInfo'),
      tcbInfoSignature: bytes('tcbInfoSignature'),
      qeIdentityIssuerChain: text('qeIdentityIssuerChain'),
      qeIdentity: text('qeIdentity'),
      qeIdentitySignature: bytes('qeIdentitySignature'),
    },
    eventLog: members.eventLog === undefined ? undefined : readString(members.eventLog, 'eventLog', MAX_TEXT),
  }
}
