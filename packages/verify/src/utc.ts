/** Unix seconds for people. What no clock shows (a chain may say anything) stays a number. */
export function utc(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace('.000Z', 'Z')
}
