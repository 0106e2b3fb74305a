import type { SnpProduct } from './product.ts'

/** Security patch levels of the parts that a chip trusts, 0 to 255 each. `fmc` exists on Turin only. */
export type SnpTcb = { bootLoader: number; tee: number; snp: number; microcode: number; fmc?: number }

/** Parts of a TCB_VERSION by byte, least significant first (SEV-SNP ABI, TCB_VERSION); undefined is reserved. */
const MILAN_GENOA = [
  'bootLoader',
  'tee',
  undefined,
  undefined,
  undefined,
  undefined,
  'snp',
  'microcode',
] as const
const TURIN = ['fmc', 'bootLoader', 'tee', 'snp', undefined, undefined, undefined, 'microcode'] as const

function layoutOf(product: SnpProduct): readonly (keyof SnpTcb | undefined)[] {
  return product === 'Turin' ? TURIN : MILAN_GENOA
}

/** Reads the eight bytes of a TCB_VERSION as this product lays them out. Reserved bytes are left to `tcbBytes`. */
export function readTcb(bytes: Uint8Array, product: SnpProduct): SnpTcb {
  const tcb: SnpTcb = { bootLoader: 0, tee: 0, snp: 0, microcode: 0 }
  for (const [at, part] of layoutOf(product).entries())
    if (part !== undefined) tcb[part] = bytes[at] as number
  return tcb
}

/** A TCB_VERSION as the number that AMD's tools write in hex: its eight bytes, least significant first. */
export function tcbNumber(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

export function tcbOfNumber(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn))
}

/** The eight bytes of a TCB_VERSION, reserved ones zero. */
export function tcbBytes(tcb: SnpTcb, product: SnpProduct): Uint8Array {
  const parts = layoutOf(product)
  return Uint8Array.from({ length: 8 }, (_, at) => {
    const part = parts[at]
    return part === undefined ? 0 : (tcb[part] ?? 0)
  })
}

/** First part that is below the minimum, in words. */
export function tcbBelow(tcb: SnpTcb, minimum: Partial<SnpTcb>): string | undefined {
  for (const part of ['fmc', 'bootLoader', 'tee', 'snp', 'microcode'] as const) {
    const floor = minimum[part]
    if (floor !== undefined && (tcb[part] ?? 0) < floor) return `${part} ${tcb[part] ?? 0} is below ${floor}`
  }
  return undefined
}
