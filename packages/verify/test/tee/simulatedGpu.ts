import { type GpuEvidence, tag } from '@assay/protocol'
import { keccak256 } from 'viem'
import type { VerifyGpuParameters } from '../../src/index.ts'
import {
  CA_USAGE,
  type CertificateFields,
  p384Key,
  SIGNS_DATA,
  signWith,
  writeCertificate,
} from './certificateWriter.ts'
import { der, extension, integer, oid, sequence } from './derWriter.ts'

export const GPU_AT = 1_770_000_000
const YEAR = 365 * 86_400
export const HARDWARE_GPU = tag('nvidia-gpu')
export const NONCE = new Uint8Array(32).fill(0x4e)
export const FIRMWARE = new Uint8Array(48).fill(0xf1)
const SHA384 = '2.16.840.1.101.3.4.2.2'
const keys = Array.from({ length: 5 }, p384Key)

export type GpuChanges = {
  /** Die that the device certificate names. */
  model?: string
  /** Opaque fields, replaced or (null) left out. */
  opaque?: Record<number, Uint8Array | null>
  /** Bytes of the finished exchange, by offset, before it is signed. */
  bytes?: Record<number, readonly number[]>
  /** Digest of each register, from 0 on. */
  measurements?: Uint8Array[]
  /** Changes of a certificate, root first. */
  certificates?: Record<number, Partial<CertificateFields>>
  /** Firmware of the leaf. */
  firmware?: Uint8Array
  /** Writes the leaf's firmware as Blackwell does: critical, two digests in a context tag. */
  twoFirmwares?: boolean
  rearrange?: (certificates: Uint8Array[]) => Uint8Array[]
}

const little = (value: number, bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, at) => Math.floor(value / 256 ** at) & 0xff)

export function registers(count = 64): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => new Uint8Array(48).fill(at))
}

function exchange(changes: GpuChanges): Uint8Array {
  const record = (changes.measurements ?? registers()).map((value, at) =>
    Buffer.concat(
      [[at + 1, 1], little(value.length + 3, 2), [1], little(value.length, 2), value].map(Buffer.from),
    ),
  )
  const opaque: Record<number, Uint8Array | null> = {
    3: Buffer.from('590.12\0'),
    6: Uint8Array.of(0, 0xa5, 0, 0x96, 1, 0, 0, 0),
    11: Uint8Array.of(0xaa),
    20: FIRMWARE,
    ...changes.opaque,
  }
  const fields = Object.entries(opaque).map(([type, value]) =>
    value === null
      ? Buffer.alloc(0)
      : Buffer.concat([little(Number(type), 2), little(value.length, 2), value]),
  )
  const recordBytes = Buffer.concat(record)
  const opaqueBytes = Buffer.concat(fields)
  const message = Buffer.concat(
    [
      [0x11, 0xe0, 0x01, 0xff],
      NONCE,
      [0],
      [0x11, 0x60, 0, 0, record.length],
      little(recordBytes.length, 3),
      recordBytes,
      new Uint8Array(32).fill(0x52),
      little(opaqueBytes.length, 2),
      opaqueBytes,
    ].map((part) => Buffer.from(part)),
  )
  for (const [at, bytes] of Object.entries(changes.bytes ?? {})) message.set(bytes, Number(at))
  return message
}

/** DER SEQUENCE of r and s → r ‖ s. */
function compact(signature: Uint8Array): Uint8Array {
  const out = new Uint8Array(96)
  let at = 2
  for (const end of [48, 96]) {
    const length = signature[at + 1] as number
    const value = signature.subarray(at + 2, at + 2 + length).slice(-48)
    out.set(value, end - value.length)
    at += 2 + length
  }
  return out
}

function firmwareInfo(changes: GpuChanges): Uint8Array {
  const firmware = changes.firmware ?? FIRMWARE
  const digest = (value: Uint8Array) => sequence(oid(SHA384), der(4, value))
  return changes.twoFirmwares
    ? extension('2.23.133.5.4.1', sequence(der(0xa6, digest(firmware), digest(new Uint8Array(48)))), true)
    : extension('2.23.133.5.4.1', sequence(integer(1), digest(firmware)))
}

/** An exchange and chain of NVIDIA's form under a local root, wrong in whatever way is asked for. */
export function simulateGpu(changes: GpuChanges = {}): {
  evidence: GpuEvidence
  parameters: VerifyGpuParameters
} {
  const device = changes.model ?? 'GH100'
  const names = ['root', 'identity', 'provisioner', `${device} device`, `${device} firmware`].map((name) =>
    name.startsWith(device) ? `${name} SIMULATED` : `SIMULATED ${name}`,
  )
  const certificates = names.map((subject, at) =>
    writeCertificate({
      subject,
      issuer: names[Math.max(at - 1, 0)] as string,
      subjectKey: keys[at] as (typeof keys)[0],
      issuerKey: keys[Math.max(at - 1, 0)] as (typeof keys)[0],
      serial: 100 + at,
      from: GPU_AT - YEAR,
      to: GPU_AT + YEAR,
      ca: at < 4,
      keyUsage: at < 4 ? CA_USAGE : SIGNS_DATA,
      extensions: at < 4 ? [] : [firmwareInfo(changes)],
      ...changes.certificates?.[at],
    }),
  )
  const message = exchange(changes)
  const report = new Uint8Array([...message, ...compact(signWith(keys[4] as (typeof keys)[0], message))])
  return {
    evidence: { report, certificates: changes.rearrange?.(certificates) ?? certificates },
    parameters: {
      roots: [{ rootHash: keccak256(certificates[0] as Uint8Array), hardwareType: HARDWARE_GPU }],
      now: BigInt(GPU_AT),
    },
  }
}
