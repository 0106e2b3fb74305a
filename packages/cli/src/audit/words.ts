export function many(count: bigint | number, what: string): string {
  return `${count} ${what}${BigInt(count) === 1n ? '' : 's'}`
}

/** @param seconds since the Unix epoch */
export function date(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString()
}
