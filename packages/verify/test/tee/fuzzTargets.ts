/** Evidence of each kind as byte strings that can be mutated, its parsers, and its verifier's answer in one shape. */
import { p384 } from '@noble/curves/nist.js'
import { bytesToHex, hexToBytes, keccak256 } from 'viem'
import {
  parseGpuReport,
  parseNrasResponse,
  parseSnpReport,
  readRim,
  verifyGpu,
  verifyNitro,
  verifyNras,
  verifySnp,
} from '../../src/index.ts'
import { parseJws } from '../../src/tee/jose/jws.ts'
import { parseCoseSign1 } from '../../src/tee/nitro/cose.ts'
import { parseNitroPayload } from '../../src/tee/nitro/nitroDocument.ts'
import { firmwareOf } from '../../src/tee/nvidia/gpuChain.ts'
import { readEndorsement } from '../../src/tee/snp/endorsement.ts'
import { readSnpChain } from '../../src/tee/snp/snpChain.ts'
import { parseCertificate } from '../../src/tee/x509/certificate.ts'
import { parseRevocationList } from '../../src/tee/x509/crl.ts'
import { RSA_PSS_SHA384 } from '../../src/tee/x509/rsaPss.ts'
import { ECDSA_P384 } from '../../src/tee/x509/scheme.ts'
import { dcapTarget } from './dcapTarget.ts'
import type { RecordedEvidence } from './recordedEvidence.ts'

export const KINDS = ['nitro', 'dcap', 'snp', 'gpu', 'nras'] as const
export type Kind = (typeof KINDS)[number]

/** One piece of evidence as its byte strings, in an order that each kind knows. */
export type Parts = readonly Uint8Array[]

export type Judgement = { ok: boolean; failed: string | undefined; essence: string | undefined }

export type Parser = { name: string; seeds: Parts; parse: (bytes: Uint8Array) => unknown }

export type FuzzTarget = {
  kind: Kind
  parts: Parts
  /** What the parts hold, for the parsers. */
  parsers: readonly Parser[]
  /** `essence`: what of the evidence is signed; two that agree in it say the same, whatever their signatures' twins. */
  judge: (parts: Parts) => Judgement
  /** The same evidence with another signature that the same key makes valid: (r, n − s). */
  twin: (parts: Parts) => Parts
}

const SCHEMES = [RSA_PSS_SHA384, ECDSA_P384]
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)

/** n − s of the 48 bytes, big-endian. */
function negate(s: Uint8Array): Uint8Array {
  const other = p384.Point.Fn.ORDER - BigInt(bytesToHex(s))
  return hexToBytes(`0x${other.toString(16).padStart(96, '0')}`)
}

function replaced(parts: Parts, at: number, bytes: Uint8Array): Parts {
  return parts.map((part, index) => (index === at ? bytes : part))
}

/** Its last 48 bytes are s. */
function twinAtEnd(parts: Parts): Parts {
  const [first] = parts as [Uint8Array]
  return replaced(parts, 0, Uint8Array.from([...first.subarray(0, -48), ...negate(first.subarray(-48))]))
}

type Report = { ok: boolean; steps: readonly { name: string; outcome: string }[] }

function judgement(report: Report, essence: () => string): Judgement {
  const failed = report.steps.find(({ outcome }) => outcome === 'failed')?.name
  return { ok: report.ok, failed, essence: report.ok ? essence() : undefined }
}

const tbsOf = (bytes: Uint8Array) => bytesToHex(parseCertificate(bytes, SCHEMES).tbs)

function nitroTarget({ document, parameters }: Extract<RecordedEvidence, { kind: 'nitro' }>): FuzzTarget {
  const { payload } = parseCoseSign1(document)
  const { cabundle, certificate } = parseNitroPayload(payload)
  return {
    kind: 'nitro',
    parts: [document],
    parsers: [
      {
        name: 'document',
        seeds: [document],
        parse: (bytes) => parseNitroPayload(parseCoseSign1(bytes).payload),
      },
      { name: 'payload', seeds: [payload], parse: parseNitroPayload },
      {
        name: 'certificate',
        seeds: [...cabundle, certificate],
        parse: (bytes) => parseCertificate(bytes, [ECDSA_P384]),
      },
    ],
    judge: ([bytes]) => {
      const report = verifyNitro(bytes as Uint8Array, parameters)
      return judgement(report, () => report.attestation?.payloadHash as string)
    },
    twin: twinAtEnd,
  }
}

function snpTarget({ evidence, parameters }: Extract<RecordedEvidence, { kind: 'snp' }>): FuzzTarget {
  const { report: bytes, certificates, crl } = evidence
  const parts = [bytes, ...certificates, ...(crl === undefined ? [] : [crl])]
  return {
    kind: 'snp',
    parts,
    parsers: [
      { name: 'report', seeds: [bytes], parse: parseSnpReport },
      {
        name: 'endorsement',
        seeds: [certificates[2] as Uint8Array],
        parse: (leaf) => readEndorsement(readSnpChain([...certificates.slice(0, 2), leaf])[2]),
      },
      { name: 'certificate', seeds: certificates, parse: (one) => parseCertificate(one, SCHEMES) },
      ...(crl === undefined
        ? []
        : [{ name: 'list', seeds: [crl], parse: (one: Uint8Array) => parseRevocationList(one, SCHEMES) }]),
    ],
    judge: ([report, ark, ask, leaf, list]) => {
      const chain = [ark, ask, leaf] as Uint8Array[]
      const verification = verifySnp(
        { report: report as Uint8Array, certificates: chain, crl: list },
        parameters,
      )
      return judgement(verification, () =>
        [
          verification.attestation?.payloadHash,
          ...chain.map(tbsOf),
          list === undefined ? '' : bytesToHex(parseRevocationList(list, SCHEMES).tbs),
        ].join(),
      )
    },
    twin: (all) => {
      const report = new Uint8Array(all[0] as Uint8Array)
      const s = report.subarray(0x2a0 + 72, 0x2a0 + 72 + 48)
      s.set(negate(s.slice().reverse()).reverse())
      return replaced(all, 0, report)
    },
  }
}

const RIM = utf8(
  `<SoftwareIdentity><ns0:Payload><ns0:Resource type="Measurement" index="1" active="True" alternatives="1" ns2:Hash0="${'0a'.repeat(48)}" size="48"/></ns0:Payload></SoftwareIdentity>`,
)

function gpuTarget({ evidence, parameters }: Extract<RecordedEvidence, { kind: 'gpu' }>): FuzzTarget {
  const { report: bytes, certificates } = evidence
  return {
    kind: 'gpu',
    parts: [bytes, ...certificates],
    parsers: [
      { name: 'report', seeds: [bytes], parse: parseGpuReport },
      {
        name: 'leaf',
        seeds: certificates.slice(-1),
        parse: (leaf) => firmwareOf(parseCertificate(leaf, [ECDSA_P384])),
      },
      { name: 'manifest', seeds: [RIM], parse: (xml) => readRim(text(xml)) },
    ],
    judge: ([report, ...chain]) => {
      const verification = verifyGpu({ report: report as Uint8Array, certificates: chain }, parameters)
      return judgement(verification, () =>
        [verification.attestation?.payloadHash, ...chain.map(tbsOf)].join(),
      )
    },
    twin: twinAtEnd,
  }
}

function nrasTarget({ tokens, parameters }: Extract<RecordedEvidence, { kind: 'nras' }>): FuzzTarget {
  const names = Object.keys(tokens.devices)
  const parts = [tokens.overall, ...Object.values(tokens.devices)].map(utf8)
  const response = utf8(JSON.stringify([['JWT', tokens.overall], tokens.devices]))
  return {
    kind: 'nras',
    parts,
    parsers: [
      { name: 'response', seeds: [response], parse: (bytes) => parseNrasResponse(text(bytes)) },
      { name: 'token', seeds: parts, parse: (bytes) => parseJws(text(bytes)) },
    ],
    judge: ([overall, ...devices]) => {
      const given = devices.map((token, at) => [names[at] as string, text(token)] as const)
      const report = verifyNras(
        { overall: text(overall as Uint8Array), devices: Object.fromEntries(given) },
        parameters,
      )
      return judgement(report, () =>
        [report.attestation?.payloadHash, ...given.map(([, token]) => keccak256(utf8(token)))].join(),
      )
    },
    twin: (all) => {
      const [head, payload, signature] = text(all[0] as Uint8Array).split('.') as [string, string, string]
      const bytes = Buffer.from(signature, 'base64url')
      const twin = Buffer.concat([bytes.subarray(0, 48), negate(bytes.subarray(48))])
      return replaced(all, 0, utf8(`${head}.${payload}.${twin.toString('base64url')}`))
    },
  }
}

export function fuzzTarget(evidence: RecordedEvidence): FuzzTarget {
  switch (evidence.kind) {
    case 'nitro':
      return nitroTarget(evidence)
    case 'dcap':
      return dcapTarget(evidence)
    case 'snp':
      return snpTarget(evidence)
    case 'gpu':
      return gpuTarget(evidence)
    case 'nras':
      return nrasTarget(evidence)
  }
}
