/** DCAP evidence as byte strings that can be mutated, and its parsers, for the fuzzers. */
import { p256 } from '@noble/curves/nist.js'
import { bytesToHex, hexToBytes } from 'viem'
import {
  type DcapCollateral,
  decodeDcapEvidence,
  encodeDcapEvidence,
  readEventLog,
  verifyDcap,
} from '../../src/index.ts'
import { parseChain, parsePemChain } from '../../src/tee/dcap/chains.ts'
import { replayRtmrs } from '../../src/tee/dcap/eventLog.ts'
import { readPckPlatform } from '../../src/tee/dcap/pckExtension.ts'
import { readQeIdentity } from '../../src/tee/dcap/qeIdentity.ts'
import { readQuote } from '../../src/tee/dcap/quote.ts'
import { readTcbInfo } from '../../src/tee/dcap/tcbInfo.ts'
import { parseCertificate } from '../../src/tee/x509/certificate.ts'
import { parseRevocationList } from '../../src/tee/x509/crl.ts'
import { commonNameOf } from '../../src/tee/x509/name.ts'
import { readPemCertificates } from '../../src/tee/x509/pem.ts'
import { ECDSA_P256 } from '../../src/tee/x509/scheme.ts'
import type { FuzzTarget, Parts } from './fuzzTargets.ts'
import type { RecordedEvidence } from './recordedEvidence.ts'

const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

type Evidence = { quote: Uint8Array; collateral: DcapCollateral }

/** The quote first, then the collateral by name. */
export function dcapParts({ quote, collateral: of }: Evidence): Parts {
  return [
    quote,
    of.rootCaCrl,
    of.pckCrl,
    utf8(of.tcbInfo),
    of.tcbInfoSignature,
    utf8(of.qeIdentity),
    of.qeIdentitySignature,
    ...[of.pckCrlIssuerChain, of.tcbInfoIssuerChain, of.qeIdentityIssuerChain].map(utf8),
  ]
}

export function dcapFromParts(parts: Parts): Evidence {
  const at = (index: number) => parts[index] as Uint8Array
  return {
    quote: at(0),
    collateral: {
      rootCaCrl: at(1),
      pckCrl: at(2),
      tcbInfo: text(at(3)),
      tcbInfoSignature: at(4),
      qeIdentity: text(at(5)),
      qeIdentitySignature: at(6),
      pckCrlIssuerChain: text(at(7)),
      tcbInfoIssuerChain: text(at(8)),
      qeIdentityIssuerChain: text(at(9)),
    },
  }
}

/** What of the evidence is signed; texts of certificates count by what they say, so ends of lines do not. */
function essenceOf({ quote, collateral }: Evidence): string {
  const { signed, attestationKey, qeReportBytes, qeAuthData, pckChain } = readQuote(quote)
  const tbs = (chain: readonly Uint8Array[]) =>
    chain.map((bytes) => bytesToHex(parseCertificate(bytes, [ECDSA_P256]).tbs))
  const { pckCrlIssuerChain, tcbInfoIssuerChain, qeIdentityIssuerChain } = collateral
  return JSON.stringify([
    [signed, attestationKey, qeReportBytes, qeAuthData].map((bytes) => bytesToHex(bytes)),
    tbs(pckChain ?? []),
    [pckCrlIssuerChain, tcbInfoIssuerChain, qeIdentityIssuerChain].map((pem) =>
      tbs(readPemCertificates(pem)),
    ),
    [collateral.rootCaCrl, collateral.pckCrl].map((bytes) =>
      bytesToHex(parseRevocationList(bytes, [ECDSA_P256]).tbs),
    ),
    [collateral.tcbInfo, collateral.qeIdentity],
  ])
}

const EVENT_LOG = utf8(
  JSON.stringify([
    { imr: 0, event_type: 4, digest: '0a'.repeat(48), event: '', event_payload: '' },
    { imr: 3, event_type: 0x08000001, digest: '', event: 'compose-hash', event_payload: 'c0ffee' },
  ]),
)

/** The quote with the other signature that its attestation key makes valid: (r, n − s). */
function twinOf(quote: Uint8Array): Uint8Array {
  const twin = new Uint8Array(quote)
  const at = readQuote(quote).signed.length + 4 + 32
  const s = p256.Point.Fn.ORDER - BigInt(bytesToHex(quote.subarray(at, at + 32)))
  twin.set(hexToBytes(`0x${s.toString(16).padStart(64, '0')}`), at)
  return twin
}

export function dcapTarget({
  evidence,
  parameters,
}: Extract<RecordedEvidence, { kind: 'dcap' }>): FuzzTarget {
  const { quote, collateral } = evidence
  const chains = [collateral.pckCrlIssuerChain, collateral.tcbInfoIssuerChain].map(utf8)
  return {
    kind: 'dcap',
    parts: dcapParts(evidence),
    parsers: [
      { name: 'quote', seeds: [quote], parse: (bytes) => parseChain(readQuote(bytes).pckChain ?? []) },
      {
        name: 'PCK certificate',
        seeds: readQuote(quote).pckChain ?? [],
        parse: (bytes) => {
          const certificate = parseCertificate(bytes, [ECDSA_P256])
          commonNameOf(certificate.subject)
          return readPckPlatform(certificate)
        },
      },
      {
        name: 'revocation list',
        seeds: [collateral.rootCaCrl, collateral.pckCrl],
        parse: (bytes) => parseRevocationList(bytes, [ECDSA_P256]),
      },
      { name: 'chain', seeds: chains, parse: (bytes) => parsePemChain(text(bytes)) },
      { name: 'TCB info', seeds: [utf8(collateral.tcbInfo)], parse: (bytes) => readTcbInfo(text(bytes)) },
      {
        name: 'QE identity',
        seeds: [utf8(collateral.qeIdentity)],
        parse: (bytes) => readQeIdentity(text(bytes)),
      },
      { name: 'event log', seeds: [EVENT_LOG], parse: (bytes) => replayRtmrs(readEventLog(text(bytes))) },
      { name: 'evidence', seeds: [encodeDcapEvidence(evidence)], parse: decodeDcapEvidence },
    ],
    judge: (parts) => {
      const given = dcapFromParts(parts)
      const { ok, steps } = verifyDcap(given.quote, given.collateral, parameters)
      const failed = steps.find(({ outcome }) => outcome === 'failed')?.name
      return { ok, failed, essence: ok ? essenceOf(given) : undefined }
    },
    twin: (parts) => parts.map((part, at) => (at === 0 ? twinOf(part) : part)),
  }
}
