import { HARDWARE_SNP } from '@assay/protocol'
import { keccak256 } from 'viem'
import type { SnpEvidence, SnpProduct, VerifySnpParameters } from '../../src/index.ts'
import {
  CA_USAGE,
  type CertificateFields,
  p384Key,
  RSA_PSS_SHORT,
  rsaKey,
  signWith,
  type TestKey,
  writeCertificate,
  writeCrl,
} from './certificateWriter.ts'
import { der, extension, integer, nameOf } from './derWriter.ts'

export const SNP_AT = 1_770_000_000
const YEAR = 365 * 86_400
const ARC = '1.3.6.1.4.1.3704.1'

/** RSA-4096 keys take seconds to make, so all tests of a process share one pair. */
let authority: { ark: TestKey; ask: TestKey } | undefined
export function authorities(): { ark: TestKey; ask: TestKey } {
  authority ??= { ark: rsaKey(), ask: rsaKey() }
  return authority
}
const chipKey = p384Key()

export const CHIP = Uint8Array.from({ length: 64 }, (_, at) => at + 1)

/** A name as AMD writes it. */
const amdName = (commonName: string) =>
  nameOf([
    ['2.5.4.11', 'Engineering'],
    ['2.5.4.6', 'US'],
    ['2.5.4.7', 'Santa Clara'],
    ['2.5.4.8', 'CA'],
    ['2.5.4.10', 'Advanced Micro Devices'],
    ['2.5.4.3', commonName],
  ])

export type SnpChanges = {
  product?: SnpProduct
  /** Certificates of an earlier one: the same chip. */
  on?: SnpEvidence
  signer?: 'VCEK' | 'VLEK'
  /** What is written into the report before it is signed, by offset. */
  report?: Record<number, readonly number[]>
  /** TCB levels as the eight bytes of REPORTED_TCB. */
  tcb?: readonly number[]
  version?: number
  /** Changes of a certificate: 0 root, 1 intermediate, 2 endorsement key. */
  certificates?: Partial<Record<0 | 1 | 2, Partial<CertificateFields>>>
  /** Extensions of the endorsement key, replaced or (null) left out, by the end of their OID. */
  endorsement?: Record<string, Uint8Array | null>
  crl?: { revoked?: number[]; key?: TestKey; from?: number; to?: number; issuer?: string }
}

const CPUID: Record<SnpProduct, readonly number[]> = {
  Milan: [0x19, 0x01, 0x01],
  Genoa: [0x19, 0x11, 0x01],
  Turin: [0x1a, 0x02, 0x01],
}

function reportBytes(changes: SnpChanges, product: SnpProduct, tcb: readonly number[]): Uint8Array {
  const report = new Uint8Array(1184)
  const put = (at: number, bytes: ArrayLike<number>) => report.set(Array.from(bytes), at)
  const version = changes.version ?? 3
  put(0, [version])
  put(0x0a, [0x03]) // policy: SMT allowed, reserved one
  put(0x34, [1])
  put(0x48, [changes.signer === 'VLEK' ? 1 << 2 : 0])
  put(0x50, new Uint8Array(32).fill(7))
  put(0x90, new Uint8Array(48).fill(9))
  put(0xc0, new Uint8Array(32).fill(11))
  for (const at of [0x38, 0x180, 0x1e0, 0x1f0]) put(at, tcb)
  if (version > 2) put(0x188, CPUID[product])
  put(0x1a0, product === 'Turin' ? CHIP.subarray(0, 8) : CHIP)
  for (const [at, bytes] of Object.entries(changes.report ?? {})) put(Number(at), bytes)
  const ecdsa = signWith(chipKey, report.subarray(0, 0x2a0))
  // DER SEQUENCE of r and s → two little-endian fields of 72 bytes.
  let at = 2
  for (const field of [0x2a0, 0x2a0 + 72]) {
    const length = ecdsa[at + 1] as number
    put(field, [...ecdsa.subarray(at + 2, at + 2 + length)].reverse().slice(0, 48))
    at += 2 + length
  }
  return report
}

function endorsementExtensions(
  changes: SnpChanges,
  product: SnpProduct,
  tcb: readonly number[],
): Uint8Array[] {
  const turin = product === 'Turin'
  const vlek = changes.signer === 'VLEK'
  const at = (index: number) => integer(tcb[index] as number)
  const values: Record<string, Uint8Array | null> = {
    '1': integer(turin ? 1 : 0),
    '2': der(0x16, Buffer.from(vlek || turin ? product : `${product}-B1`)),
    '3.1': at(turin ? 1 : 0),
    '3.2': at(turin ? 2 : 1),
    '3.3': at(turin ? 3 : 6),
    ...(turin ? {} : { '3.4': integer(0) }),
    '3.5': integer(0),
    '3.6': integer(0),
    '3.7': integer(0),
    '3.8': at(7),
    ...(turin ? { '3.9': at(0) } : {}),
    ...(vlek
      ? { '5': der(0x16, Buffer.from('cloud.example')) }
      : { '4': turin ? CHIP.subarray(0, 8) : CHIP }),
    ...changes.endorsement,
  }
  return Object.entries(values).flatMap(([end, value]) =>
    value === null ? [] : [extension(`${ARC}.${end}`, value)],
  )
}

/** A report and chain of AMD's form under a local root, wrong in whatever way is asked for. */
export function simulateSnp(changes: SnpChanges = {}): {
  evidence: SnpEvidence
  parameters: VerifySnpParameters
} {
  const { ark, ask } = authorities()
  const product = changes.product ?? 'Genoa'
  const tcb = changes.tcb ?? (product === 'Turin' ? [1, 2, 3, 4, 0, 0, 0, 72] : [3, 0, 0, 0, 0, 0, 20, 80])
  const vlek = changes.signer === 'VLEK'
  const times = { from: SNP_AT - YEAR, to: SNP_AT + YEAR }
  const names = [
    `ARK-${product}`,
    vlek ? `SEV-VLEK-${product}` : `SEV-${product}`,
    vlek ? 'SEV-VLEK' : 'SEV-VCEK',
  ] as const
  const authorityFields = { ...times, ca: true, keyUsage: CA_USAGE }
  const certificates =
    changes.on?.certificates ??
    [
      { subject: names[0], issuer: names[0], subjectKey: ark, issuerKey: ark, serial: 1, ...authorityFields },
      {
        ...{ subject: names[1], issuer: names[0], subjectKey: ask, issuerKey: ark, serial: 2 },
        ...authorityFields,
        pathLength: 0,
      },
      {
        ...{ subject: names[2], issuer: names[1], subjectKey: chipKey, issuerKey: ask, ...times },
        algorithm: product === 'Turin' ? RSA_PSS_SHORT : undefined,
        extensions: endorsementExtensions(changes, product, tcb),
      },
    ].map((fields, at) =>
      writeCertificate({ ...fields, nameOf: amdName, ...changes.certificates?.[at as 0 | 1 | 2] }),
    )
  const crl =
    changes.crl === undefined
      ? undefined
      : writeCrl({
          issuer: names[0],
          nameOf: amdName,
          key: ark,
          from: SNP_AT - 100,
          to: SNP_AT + 100,
          ...changes.crl,
        })
  return {
    evidence: { report: reportBytes(changes, product, tcb), certificates, crl },
    parameters: {
      roots: [{ rootHash: keccak256(certificates[0] as Uint8Array), hardwareType: HARDWARE_SNP }],
      now: BigInt(SNP_AT),
    },
  }
}
