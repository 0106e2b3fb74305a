import { bytesToHex, type Hex } from 'viem'

/** ATTESTATION_REPORT of the SEV-SNP ABI (AMD 56860): fixed size in every version. */
export const SNP_REPORT_BYTES = 1184
/** What the signature covers: everything before it. */
const SIGNED_BYTES = 0x2a0

/** Guest policy bits (AMD 56860, "Guest Policy"). */
const POLICY = { reservedOne: 17n, migration: 18n, debug: 19n, firstReserved: 26n }

/** Which key signed: the chip's own (VCEK), or one that AMD lends to a cloud for all its chips (VLEK). */
export type SnpSigner = 'VCEK' | 'VLEK'

export type SnpReport = {
  version: number
  /** Guest policy, as launched. */
  policy: { debug: boolean; migration: boolean; bits: bigint }
  vmpl: number
  /** SIGNING_KEY: 0 VCEK, 1 VLEK, 7 none. */
  signer: SnpSigner | 'none'
  /** The host told the chip not to sign. */
  maskChipKey: boolean
  platformInfo: bigint
  reportData: Hex
  measurement: Hex
  hostData: Hex
  idKeyDigest: Hex
  authorKeyDigest: Hex
  /** TCB_VERSIONs, eight bytes each; their layout depends on the product. */
  currentTcb: Uint8Array
  reportedTcb: Uint8Array
  committedTcb: Uint8Array
  launchTcb: Uint8Array
  /** From version 3 on. */
  cpuid: { family: number; model: number; stepping: number } | undefined
  /** 64 bytes; zero where the host masks it. */
  chipId: Hex
  signed: Uint8Array
  /** r ‖ s, 48 bytes each, big-endian. */
  signature: Uint8Array
}

/** First thing in the report that no chip writes; each reserved range is zero in the versions named. */
function formProblem(bytes: Uint8Array, version: number): string | undefined {
  const reserved: [from: number, to: number][] = [
    [0x4c, 0x50],
    [version === 2 ? 0x188 : 0x18b, 0x1a0],
    [0x1eb, 0x1ec],
    [0x1ef, 0x1f0],
    // Version 5 put the mitigation vectors here; earlier firmware that has them writes version 3 or 4.
    [version === 2 ? 0x1f8 : 0x208, SIGNED_BYTES],
    // r and s have 48 bytes in fields of 72, and the signature's own field runs to the end.
    [SIGNED_BYTES + 48, SIGNED_BYTES + 72],
    [SIGNED_BYTES + 72 + 48, SNP_REPORT_BYTES],
  ]
  for (const [from, to] of reserved) {
    if (bytes.subarray(from, to).some((byte) => byte !== 0)) {
      return `reserved bytes 0x${from.toString(16)} to 0x${to.toString(16)} are not zero`
    }
  }
  return undefined
}

function signerOf(flags: number): SnpReport['signer'] {
  const code = (flags >> 2) & 7
  if (flags >> 5 !== 0 || (code > 1 && code < 7)) throw new Error('reserved key flags are set')
  return code === 0 ? 'VCEK' : code === 1 ? 'VLEK' : 'none'
}

/** Reads a report's fields and says nothing yet about whether they may be believed. @throws Error */
export function parseSnpReport(bytes: Uint8Array): SnpReport {
  if (bytes.length !== SNP_REPORT_BYTES) {
    throw new Error(`the report has ${bytes.length} bytes, not ${SNP_REPORT_BYTES}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const u32 = (at: number) => view.getUint32(at, true)
  const u64 = (at: number) => view.getBigUint64(at, true)
  const hex = (from: number, to: number) => bytesToHex(bytes.subarray(from, to))
  const version = u32(0)
  if (version < 2 || version > 5) throw new Error(`version ${version}; 2 to 5 are known`)
  if (u32(0x34) !== 1) throw new Error(`signature algorithm ${u32(0x34)}, not 1 (ECDSA P-384 with SHA-384)`)
  const problem = formProblem(bytes, version)
  if (problem !== undefined) throw new Error(problem)
  const bits = u64(0x08)
  const bit = (index: bigint) => ((bits >> index) & 1n) === 1n
  if (!bit(POLICY.reservedOne) || bits >> POLICY.firstReserved !== 0n) {
    throw new Error(`guest policy ${bits.toString(16)} has reserved bits wrong`)
  }
  const flags = u32(0x48)
  const signature = new Uint8Array(96)
  signature.set(bytes.slice(SIGNED_BYTES, SIGNED_BYTES + 48).reverse())
  signature.set(bytes.slice(SIGNED_BYTES + 72, SIGNED_BYTES + 72 + 48).reverse(), 48)
  return {
    version,
    policy: { debug: bit(POLICY.debug), migration: bit(POLICY.migration), bits },
    vmpl: u32(0x30),
    signer: signerOf(flags),
    maskChipKey: (flags & 2) !== 0,
    platformInfo: u64(0x40),
    reportData: hex(0x50, 0x90),
    measurement: hex(0x90, 0xc0),
    hostData: hex(0xc0, 0xe0),
    idKeyDigest: hex(0xe0, 0x110),
    authorKeyDigest: hex(0x110, 0x140),
    currentTcb: bytes.subarray(0x38, 0x40),
    reportedTcb: bytes.subarray(0x180, 0x188),
    committedTcb: bytes.subarray(0x1e0, 0x1e8),
    launchTcb: bytes.subarray(0x1f0, 0x1f8),
    cpuid:
      version === 2
        ? undefined
        : {
            family: bytes[0x188] as number,
            model: bytes[0x189] as number,
            stepping: bytes[0x18a] as number,
          },
    chipId: hex(0x1a0, 0x1e0),
    signed: bytes.subarray(0, SIGNED_BYTES),
    signature,
  }
}
