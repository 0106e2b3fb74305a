/** Unix seconds for people. What no clock shows (a chain may say anything) stays a number. */
export function utc(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace('.000Z', 'Z')
}

/** Day of a time, such as `2024-03-13`. */
export function utcDay(seconds: bigint): string {
  return utc(seconds).split('T')[0] as string
}
