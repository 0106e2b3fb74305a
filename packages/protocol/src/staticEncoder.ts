import type { Hex } from 'viem'
import { AssayError } from './errors.ts'

/** Types whose encoding is one word each. */
export type StaticType = 'bytes32' | 'address' | `uint${8 | 16 | 64 | 128 | 256}`
export type StaticValue = Hex | bigint | number

const WORD_BYTES = 32
const DIGITS = new Uint8Array(128).fill(0xff)
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  DIGITS[digit.charCodeAt(0)] = value
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value
}

/** Writes `length` bytes of hex so that they end at `end`. */
function writeHex(bytes: Uint8Array, end: number, hex: StaticValue, length: number): void {
  if (typeof hex !== 'string' || hex.length !== 2 + 2 * length) throw outOfRange(hex, `${length} bytes`)
  for (let at = 0; at < length; at++) {
    const high = DIGITS[hex.charCodeAt(2 + 2 * at)] ?? 0xff
    const low = DIGITS[hex.charCodeAt(3 + 2 * at)] ?? 0xff
    if (high > 15 || low > 15) throw outOfRange(hex, 'hex')
    bytes[end - length + at] = high * 16 + low
  }
}

function writeUint(view: DataView, end: number, value: StaticValue, bits: number): void {
  if (typeof value === 'string') throw outOfRange(value, `uint${bits}`)
  let rest = BigInt(value)
  if (rest < 0n || rest >> BigInt(bits) !== 0n) throw outOfRange(value, `uint${bits}`)
  for (let at = end - 8; ; at -= 8) {
    view.setBigUint64(at, BigInt.asUintN(64, rest))
    rest >>= 64n
    if (rest === 0n) return
  }
}

function outOfRange(value: StaticValue, wanted: string): AssayError {
  return new AssayError('A value does not fit its type.', { code: 'out_of_range', facts: { value, wanted } })
}

/**
 * `abi.encode` of values whose types are static, hence one word each (Solidity ABI specification, "Formal Specification
 * of the Encoding"). A general encoder interprets its types anew for every value, which was most of the time that a
 * batch took; the types of our hashes never change.
 * @returns encoder of one value a type; it throws AssayError `out_of_range` for a value that its type cannot hold
 */
export function staticEncoder(types: readonly StaticType[]): (values: readonly StaticValue[]) => Uint8Array {
  const writers = types.map((type, at) => {
    const end = (at + 1) * WORD_BYTES
    if (type === 'bytes32' || type === 'address') {
      const length = type === 'address' ? 20 : 32
      return (bytes: Uint8Array, _: DataView, value: StaticValue) => writeHex(bytes, end, value, length)
    }
    const bits = Number(type.slice(4))
    return (_: Uint8Array, view: DataView, value: StaticValue) => writeUint(view, end, value, bits)
  })
  return (values) => {
    if (values.length !== writers.length)
      throw new TypeError(`${writers.length} values are encoded at a time.`)
    const bytes = new Uint8Array(writers.length * WORD_BYTES)
    const view = new DataView(bytes.buffer)
    for (const [at, write] of writers.entries()) write(bytes, view, values[at] as StaticValue)
    return bytes
  }
}
