/** Most that a request may state, OPG: the whole supply. */
const MAX_OPG = 1_000_000_000n
const UNIT = 10n ** 18n

/** Decimal OPG ("1.5") to base units; undefined when it is not such a number or out of range. */
export function readOpg(text: string): bigint | undefined {
  const match = /^(0|[1-9][0-9]{0,9})(?:\.([0-9]{1,18}))?$/.exec(text)
  if (match === null) return undefined
  const units = BigInt(match[1] as string) * UNIT + BigInt((match[2] ?? '').padEnd(18, '0'))
  return units <= MAX_OPG * UNIT ? units : undefined
}
