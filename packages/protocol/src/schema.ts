import type { Address, Hex } from 'viem'
import type { Json } from './canonicalJson.ts'
import { AssayError } from './errors.ts'

/** Strict readers for the members of canonical JSON; `where` names the place in error messages. */
function fail(where: string, expected: string): never {
  throw new AssayError(`${where} must be ${expected}.`, { code: 'malformed' })
}

/** An object with exactly these members, `optional` ones allowed to be absent. */
export function readObject(
  value: Json | undefined,
  where: string,
  required: readonly string[],
  optional: readonly string[] = [],
): Record<string, Json> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(where, 'an object')
  for (const name of required) if (!Object.hasOwn(value, name)) fail(`${where}.${name}`, 'present')
  for (const name of Object.keys(value)) {
    if (!required.includes(name) && !optional.includes(name))
      fail(`${where}.${name}`, 'absent (unknown member)')
  }
  return value
}

export function readArray(value: Json | undefined, where: string, maxLength: number): Json[] {
  if (!Array.isArray(value)) fail(where, 'an array')
  if (value.length > maxLength) fail(where, `an array of at most ${maxLength} entries`)
  return value
}

export function readString(value: Json | undefined, where: string, maxLength = 1024): string {
  if (typeof value !== 'string' || value.length > maxLength)
    fail(where, `a string of at most ${maxLength} characters`)
  return value
}

export function readBoolean(value: Json | undefined, where: string): boolean {
  if (typeof value !== 'boolean') fail(where, 'a boolean')
  return value
}

/** Decimal string without leading zeros, below 2^bits. */
export function readUint(value: Json | undefined, where: string, bits: 64 | 128 | 256): bigint {
  if (typeof value !== 'string' || !/^(0|[1-9][0-9]{0,77})$/.test(value)) fail(where, 'a decimal string')
  const integer = BigInt(value)
  if (integer >> BigInt(bits) !== 0n) fail(where, `below 2^${bits}`)
  return integer
}

/** JSON integer in [0, max]. */
export function readSmallUint(value: Json | undefined, where: string, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    fail(where, `an integer from 0 to ${max}`)
  }
  return value
}

/** Lower-case 0x hex of exactly `bytes` bytes. */
export function readBytes(value: Json | undefined, where: string, bytes: number): Hex {
  if (typeof value !== 'string' || value.length !== 2 + bytes * 2 || !/^0x[0-9a-f]*$/.test(value)) {
    fail(where, `${bytes} bytes of lower-case hex`)
  }
  return value as Hex
}

export function readAddress(value: Json | undefined, where: string): Address {
  return readBytes(value, where, 20) as Address
}
