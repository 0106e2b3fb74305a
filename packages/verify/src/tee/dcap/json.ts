import type { Hex } from 'viem'

export class CollateralError extends Error {}

/** Readers of JSON members: each gives the value in its one form, or says which member is not so. */
export type JsonObject = { readonly [name: string]: unknown }

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CollateralError(`${what} is not an object`)
  }
  return value as JsonObject
}

export function asArray(value: unknown, max: number, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max) {
    throw new CollateralError(`${what} is not a list of at most ${max}`)
  }
  return value
}

export function asText(value: unknown, max: number, what: string): string {
  if (typeof value !== 'string' || value.length > max) {
    throw new CollateralError(`${what} is not a text of at most ${max} characters`)
  }
  return value
}

export function asInteger(value: unknown, max: number, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw new CollateralError(`${what} is not an integer from 0 to ${max}`)
  }
  return value
}

/** Hex digits of either case without prefix, of exactly `length` bytes. */
export function asHex(value: unknown, length: number, what: string): Hex {
  if (typeof value !== 'string' || value.length !== 2 * length || !/^[0-9a-fA-F]*$/.test(value)) {
    throw new CollateralError(`${what} is not ${length} bytes in hex`)
  }
  return `0x${value.toLowerCase()}`
}

/** Hex digits of either case without prefix, of at most `max` whole bytes. */
export function asHexText(value: unknown, max: number, what: string): Hex {
  const text = asText(value, 2 * max, what)
  return asHex(text, Math.ceil(text.length / 2), what)
}

/** `2025-06-19T10:56:11Z` as Unix seconds. */
export function asTime(value: unknown, what: string): bigint {
  const text = asText(value, 20, what)
  const milliseconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN
  // Date.parse lets some days roll over (31 February); the round trip does not.
  if (Number.isNaN(milliseconds) || new Date(milliseconds).toISOString() !== `${text.slice(0, -1)}.000Z`) {
    throw new CollateralError(`${what} is not a time in UTC`)
  }
  return BigInt(milliseconds / 1000)
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new CollateralError(`${what} is not JSON`)
  }
}
