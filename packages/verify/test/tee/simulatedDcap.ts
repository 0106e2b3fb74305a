import { createHash, sign } from 'node:crypto'
import { HARDWARE_SGX, HARDWARE_TDX } from '@assay/protocol'
import { keccak256 } from 'viem'
import type { DcapCollateral, VerifyDcapParameters } from '../../src/index.ts'
import {
  CA_USAGE,
  type CertificateFields,
  type CrlFields,
  p256Key,
  SIGNS_DATA,
  type TestKey,
  writeCertificate,
  writeCrl,
} from './certificateWriter.ts'
import { der, extension, fromHex, integer, oid, sequence } from './derWriter.ts'

export const DCAP_AT = 1_770_000_000
const DAY = 86_400
const SGX_ARC = '1.2.840.113741.1.13.1'
const INTEL_VENDOR = fromHex('939a7233f79c4ca9940a0db3957f0607')
const QE_SIGNER = 'ab'.repeat(32)

export const dcapKeys = {
  root: p256Key(),
  ca: p256Key(),
  pck: p256Key(),
  tcb: p256Key(),
  attestation: p256Key(),
  stranger: p256Key(),
}

type Patches = Record<number, readonly number[]>
type Json = Record<string, unknown>

/** What a test changes of sound evidence to make it wrong; everything signed is signed after the change. */
export type DcapChanges = {
  kind?: 'sgx' | 'tdx'
  /** The same platform as this one was made on: its certificates and collateral. */
  on?: SimulatedDcap
  version?: 3 | 4 | 5
  /** In version 5: a TD report of TDX 1.0, as version 4 carries it. */
  td10?: boolean
  /** Fields of the quote's header or body, by offset from the body's start (the header's are negative). */
  quote?: Patches
  qeReport?: Patches
  /** TEE_TCB_SVN of a TD. */
  teeTcbSvn?: readonly number[]
  /** PCK certificate: SVNs, FMSPC and so on. */
  componentSvns?: readonly number[]
  pceSvn?: number
  fmspc?: string
  platformInstance?: boolean
  certificates?: Partial<Record<'root' | 'ca' | 'pck' | 'tcb', Partial<CertificateFields>>>
  rootCrl?: Partial<CrlFields>
  pckCrl?: Partial<CrlFields>
  tcbInfo?: Json
  qeIdentity?: Json
  /** Keys that sign instead of the right ones. */
  tcbInfoKey?: TestKey
  qeIdentityKey?: TestKey
  qeReportKey?: TestKey
  quoteKey?: TestKey
  /** Certification data: the PCK chain (5) by default, or the platform's PPID (1 to 3), with the chain in the collateral. */
  certification?: number
  /** What the QE report commits to; the attestation key and data by default. */
  committed?: Uint8Array
}

export type SimulatedDcap = {
  quote: Uint8Array
  collateral: DcapCollateral
  parameters: VerifyDcapParameters
  /** DER by role. */
  certificates: Record<'root' | 'ca' | 'pck' | 'tcb', Uint8Array>
}

const compact = (key: TestKey, message: Uint8Array) =>
  new Uint8Array(sign('sha256', message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }))

/** x ‖ y. */
export function rawPoint(key: TestKey): Uint8Array {
  return new Uint8Array(key.publicKey.export({ type: 'spki', format: 'der' })).subarray(-64)
}

export const little = (value: number, octets: number): number[] =>
  Array.from({ length: octets }, (_, at) => Math.floor(value / 256 ** at) % 256)

export const join = (...parts: (Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]))

function patch(bytes: Uint8Array, patches: Patches = {}, from = 0): Uint8Array {
  for (const [at, values] of Object.entries(patches)) bytes.set(values, from + Number(at))
  return bytes
}

export const toPem = (...certificates: Uint8Array[]): string =>
  certificates
    .map((bytes) => {
      const lines = Buffer.from(bytes)
        .toString('base64')
        .match(/.{1,64}/g) as string[]
      return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
    })
    .join('')

function sgxExtension(changes: DcapChanges): Uint8Array {
  const pair = (id: string, value: Uint8Array) => sequence(oid(`${SGX_ARC}.${id}`), value)
  const svns = changes.componentSvns ?? new Array<number>(16).fill(5)
  const tcb = sequence(
    ...svns.map((svn, at) => pair(`2.${at + 1}`, integer(svn))),
    pair('2.17', integer(changes.pceSvn ?? 13)),
    pair('2.18', der(4, svns)),
  )
  return sequence(
    pair('1', der(4, new Uint8Array(16).fill(0x77))),
    pair('2', tcb),
    pair('3', der(4, [0, 0])),
    pair('4', der(4, fromHex(changes.fmspc ?? '00906ed50000'))),
    pair('5', der(0x0a, [1])),
    ...(changes.platformInstance === false ? [] : [pair('6', der(4, new Uint8Array(16).fill(0x66)))]),
  )
}

function makeCertificates(changes: DcapChanges): SimulatedDcap['certificates'] {
  const { root, ca, pck, tcb } = dcapKeys
  const times = { from: DCAP_AT - DAY, to: DCAP_AT + 365 * DAY }
  const make = (role: keyof SimulatedDcap['certificates'], fields: Omit<CertificateFields, 'from' | 'to'>) =>
    writeCertificate({ ...times, ...fields, ...changes.certificates?.[role] })
  const authority = { ca: true, keyUsage: CA_USAGE }
  const names = {
    root: 'Intel SGX Root CA',
    ca: changes.platformInstance === false ? 'Intel SGX PCK Processor CA' : 'Intel SGX PCK Platform CA',
  }
  const self = { subject: names.root, issuer: names.root, subjectKey: root, issuerKey: root, serial: 1 }
  return {
    root: make('root', { ...self, ...authority, pathLength: 1 }),
    ca: make('ca', {
      ...authority,
      subject: names.ca,
      issuer: names.root,
      subjectKey: ca,
      issuerKey: root,
      serial: 2,
      pathLength: 0,
    }),
    pck: make('pck', {
      subject: 'Intel SGX PCK Certificate',
      issuer: names.ca,
      subjectKey: pck,
      issuerKey: ca,
      serial: 3,
      keyUsage: SIGNS_DATA,
      extensions: [extension(SGX_ARC, sgxExtension(changes))],
    }),
    tcb: make('tcb', {
      subject: 'Intel SGX TCB Signing',
      issuer: names.root,
      subjectKey: tcb,
      issuerKey: root,
      serial: 4,
      keyUsage: SIGNS_DATA,
    }),
  }
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
const svns = (value: number) => new Array(16).fill({ svn: value })

/** Levels of a platform: up to date from SVN 5, with a hardening advisory from 4, out of date from 2. */
export function tcbInfoJson(kind: 'sgx' | 'tdx'): Json {
  const level = (svn: number, tcbStatus: string, ids?: string[]) => ({
    tcb: {
      sgxtcbcomponents: svns(svn),
      pcesvn: 11,
      ...(kind === 'tdx' ? { tdxtcbcomponents: svns(0) } : {}),
    },
    tcbDate: '2025-03-13T00:00:00Z',
    tcbStatus,
    ...(ids === undefined ? {} : { advisoryIDs: ids }),
  })
  const module = {
    mrsigner: '00'.repeat(48),
    attributes: '00'.repeat(8),
    attributesMask: 'FF'.repeat(8),
  }
  return {
    id: kind === 'tdx' ? 'TDX' : 'SGX',
    version: 3,
    issueDate: iso(DCAP_AT - DAY),
    nextUpdate: iso(DCAP_AT + 29 * DAY),
    fmspc: '00906ED50000',
    pceId: '0000',
    tcbType: 0,
    tcbEvaluationDataNumber: 18,
    ...(kind === 'tdx'
      ? {
          tdxModule: module,
          tdxModuleIdentities: [
            {
              id: 'TDX_01',
              ...module,
              tcbLevels: [
                { tcb: { isvsvn: 4 }, tcbDate: '2025-03-13T00:00:00Z', tcbStatus: 'UpToDate' },
                {
                  tcb: { isvsvn: 2 },
                  tcbDate: '2023-08-09T00:00:00Z',
                  tcbStatus: 'OutOfDate',
                  advisoryIDs: ['INTEL-SA-01036'],
                },
              ],
            },
          ],
        }
      : {}),
    tcbLevels: [
      level(5, 'UpToDate'),
      level(4, 'SWHardeningNeeded', ['INTEL-SA-00615']),
      level(3, 'ConfigurationNeeded', ['INTEL-SA-00289']),
      level(2, 'OutOfDate', ['INTEL-SA-00828']),
      level(1, 'Revoked'),
    ],
  }
}

export function qeIdentityJson(kind: 'sgx' | 'tdx'): Json {
  return {
    id: kind === 'tdx' ? 'TD_QE' : 'QE',
    version: 2,
    issueDate: iso(DCAP_AT - DAY),
    nextUpdate: iso(DCAP_AT + 29 * DAY),
    tcbEvaluationDataNumber: 18,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: `11${'00'.repeat(15)}`,
    attributesMask: `FBFFFFFFFFFFFFFF${'00'.repeat(8)}`,
    mrsigner: QE_SIGNER,
    isvprodid: 2,
    tcbLevels: [
      { tcb: { isvsvn: 8 }, tcbDate: '2025-03-13T00:00:00Z', tcbStatus: 'UpToDate' },
      {
        tcb: { isvsvn: 6 },
        tcbDate: '2021-11-10T00:00:00Z',
        tcbStatus: 'OutOfDate',
        advisoryIDs: ['INTEL-SA-00477'],
      },
    ],
  }
}

function qeReport(changes: DcapChanges, authData: Uint8Array): Uint8Array {
  const report = new Uint8Array(384)
  report.set([0x15], 48)
  report.set(fromHex(QE_SIGNER), 128)
  report.set([...little(2, 2), ...little(8, 2)], 256)
  const key = createHash('sha256').update(rawPoint(dcapKeys.attestation)).update(authData).digest()
  report.set(changes.committed ?? key, 320)
  return patch(report, changes.qeReport)
}

function body(changes: DcapChanges, kind: 'sgx' | 'tdx', version: number): Uint8Array {
  if (kind === 'sgx') {
    const report = new Uint8Array(384)
    report.set([0x05], 48)
    report.set(new Uint8Array(32).fill(0xe1), 64)
    report.set(new Uint8Array(32).fill(0xe2), 128)
    report.set(new Uint8Array(64).fill(0xda), 320)
    return report
  }
  const report = new Uint8Array(version === 5 && changes.td10 !== true ? 648 : 584)
  report.set(changes.teeTcbSvn ?? [5, 1, 3], 0)
  report.set([0, 0, 0, 0x10], 120)
  report.set(new Uint8Array(48).fill(0x7d), 136)
  for (let index = 0; index < 4; index++) report.set(new Uint8Array(48).fill(0x10 + index), 328 + 48 * index)
  report.set(new Uint8Array(64).fill(0xda), 520)
  return report
}

/** Makes a quote and its collateral under a local root, wrong in whatever way is asked for. */
export function simulateDcap(changes: DcapChanges = {}): SimulatedDcap {
  const kind = changes.kind ?? 'tdx'
  const version = changes.version ?? (kind === 'tdx' ? 4 : 3)
  const certificates = changes.on?.certificates ?? makeCertificates(changes)
  const authData = Uint8Array.from({ length: 32 }, (_, at) => at)
  const header = join(
    little(version, 2),
    little(2, 2),
    little(kind === 'tdx' ? 0x81 : 0, 4),
    [0, 0, 0, 0],
    INTEL_VENDOR,
    new Uint8Array(20),
  )
  const report = body(changes, kind, version)
  const type = kind === 'sgx' ? 1 : changes.td10 ? 2 : 3
  const descriptor = version === 5 ? [...little(type, 2), ...little(report.length, 4)] : []
  const start = header.length + descriptor.length
  const signed = patch(join(header, descriptor, report), changes.quote, start)
  const qe = qeReport(changes, authData)
  const pem = Buffer.from(`${toPem(certificates.pck, certificates.ca, certificates.root)}\0`)
  const type5 = (changes.certification ?? 5) === 5
  const data = type5 ? pem : new Uint8Array(404).fill(0xcc)
  const certification = join(
    qe,
    compact(changes.qeReportKey ?? dcapKeys.pck, qe),
    little(authData.length, 2),
    authData,
    little(changes.certification ?? 5, 2),
    little(data.length, 4),
    data,
  )
  const signature = join(
    compact(changes.quoteKey ?? dcapKeys.attestation, signed),
    rawPoint(dcapKeys.attestation),
    version === 3 ? [] : [...little(6, 2), ...little(certification.length, 4)],
    certification,
  )
  const times = { from: DCAP_AT - DAY, to: DCAP_AT + 29 * DAY }
  const tcbInfo = JSON.stringify({ ...tcbInfoJson(kind), ...changes.tcbInfo })
  const qeIdentity = JSON.stringify({ ...qeIdentityJson(kind), ...changes.qeIdentity })
  const caName =
    changes.platformInstance === false ? 'Intel SGX PCK Processor CA' : 'Intel SGX PCK Platform CA'
  return {
    quote: join(signed, little(signature.length, 4), signature),
    certificates,
    collateral: changes.on?.collateral ?? {
      ...(type5 ? {} : { pckChain: toPem(certificates.pck, certificates.ca, certificates.root) }),
      pckCrlIssuerChain: toPem(certificates.ca, certificates.root),
      rootCaCrl: writeCrl({
        issuer: 'Intel SGX Root CA',
        key: dcapKeys.root,
        ...times,
        ...changes.rootCrl,
      }),
      pckCrl: writeCrl({ issuer: caName, key: dcapKeys.ca, ...times, ...changes.pckCrl }),
      tcbInfoIssuerChain: toPem(certificates.tcb, certificates.root),
      tcbInfo,
      tcbInfoSignature: compact(changes.tcbInfoKey ?? dcapKeys.tcb, Buffer.from(tcbInfo)),
      qeIdentityIssuerChain: toPem(certificates.tcb, certificates.root),
      qeIdentity,
      qeIdentitySignature: compact(changes.qeIdentityKey ?? dcapKeys.tcb, Buffer.from(qeIdentity)),
    },
    parameters: {
      now: BigInt(DCAP_AT),
      roots: [HARDWARE_SGX, HARDWARE_TDX].map((hardwareType) => ({
        rootHash: keccak256(certificates.root),
        hardwareType,
      })),
    },
  }
}
