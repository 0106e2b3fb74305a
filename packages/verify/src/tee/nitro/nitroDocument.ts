import { nitroMeasurement } from '@assay/protocol'
import { bytesToHex, type Hex } from 'viem'
import type { Problem } from '../checklist.ts'
import { decodeStrict } from './cose.ts'

/** The payload of a Nitro attestation document, as the NSM interface defines it. */
export type NitroPayload = {
  moduleId: string
  digest: string
  /** Milliseconds since the Unix epoch. */
  timestamp: bigint
  /** PCR index → value, 48 bytes each where the digest is SHA384. */
  pcrs: ReadonlyMap<number, Uint8Array>
  /** DER. */
  certificate: Uint8Array
  /** DER, root first. */
  cabundle: readonly Uint8Array[]
  publicKey: Uint8Array | undefined
  userData: Uint8Array | undefined
  nonce: Uint8Array | undefined
}

const MEMBERS = [
  'module_id',
  'digest',
  'timestamp',
  'pcrs',
  'certificate',
  'cabundle',
  'public_key',
  'user_data',
  'nonce',
]
const MAX_CHAIN = 8

function optionalBytes(value: unknown, maxBytes: number): Uint8Array | undefined {
  if (value === null || value === undefined) return undefined
  if (!(value instanceof Uint8Array) || value.length > maxBytes) throw new Error('not bytes within bounds')
  return value
}

/** Reads the payload's members and bounds; says nothing yet about whether they may be believed. @throws Error */
export function parseNitroPayload(bytes: Uint8Array): NitroPayload {
  const members = decodeStrict(bytes)
  if (!(members instanceof Map)) throw new Error('the payload is not a map')
  for (const name of members.keys()) if (!MEMBERS.includes(name)) throw new Error('unknown member')
  const moduleId: unknown = members.get('module_id')
  const digest: unknown = members.get('digest')
  const timestamp: unknown = members.get('timestamp')
  const pcrs: unknown = members.get('pcrs')
  const certificate: unknown = members.get('certificate')
  const cabundle: unknown = members.get('cabundle')
  if (typeof moduleId !== 'string' || moduleId.length === 0 || moduleId.length > 256) {
    throw new Error('module_id')
  }
  if (typeof digest !== 'string' || digest.length > 16) throw new Error('digest')
  if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp) || timestamp <= 0) {
    throw new Error('timestamp')
  }
  if (!(pcrs instanceof Map) || pcrs.size === 0 || pcrs.size > 32) throw new Error('pcrs')
  const registers = new Map<number, Uint8Array>()
  for (const [index, value] of pcrs as Map<unknown, unknown>) {
    if (typeof index !== 'number' || !Number.isInteger(index) || !(value instanceof Uint8Array)) {
      throw new Error('pcrs')
    }
    registers.set(index, value)
  }
  if (!(certificate instanceof Uint8Array)) throw new Error('certificate')
  if (!Array.isArray(cabundle) || cabundle.length === 0 || cabundle.length > MAX_CHAIN) {
    throw new Error('cabundle')
  }
  for (const entry of cabundle) if (!(entry instanceof Uint8Array)) throw new Error('cabundle')
  return {
    moduleId,
    digest,
    timestamp: BigInt(timestamp),
    pcrs: registers,
    certificate,
    cabundle: cabundle as Uint8Array[],
    publicKey: optionalBytes(members.get('public_key'), 1024),
    userData: optionalBytes(members.get('user_data'), 1024),
    nonce: optionalBytes(members.get('nonce'), 1024),
  }
}

export type RegisterCode = 'digest_not_sha384' | 'pcr_unknown' | 'pcr_length' | 'pcr_missing'

/** First thing wrong with the digest or the registers, or undefined. */
export function registersProblem({ digest, pcrs }: NitroPayload): Problem<RegisterCode> | undefined {
  if (digest !== 'SHA384') {
    return { code: 'digest_not_sha384', reason: `the digest is ${JSON.stringify(digest)}, not SHA384` }
  }
  for (const [index, value] of pcrs) {
    if (index < 0 || index > 31) return { code: 'pcr_unknown', reason: `there is no PCR ${index}` }
    if (value.length !== 48) {
      return { code: 'pcr_length', reason: `PCR ${index} has ${value.length} bytes, not 48` }
    }
  }
  const missing = [0, 1, 2].find((index) => !pcrs.has(index))
  return missing === undefined ? undefined : { code: 'pcr_missing', reason: `PCR ${missing} is missing` }
}

export function measurementOf(pcrs: ReadonlyMap<number, Uint8Array>): Hex {
  const register = (index: number) => bytesToHex(pcrs.get(index) ?? new Uint8Array(0))
  return nitroMeasurement(register(0), register(1), register(2))
}
