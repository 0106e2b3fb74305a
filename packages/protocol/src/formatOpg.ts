import { formatUnits } from 'viem'

/** An amount for people, with its unit and to the last base unit: `0.000141 OPG`. */
export function formatOpg(baseUnits: bigint): string {
  return `${formatUnits(baseUnits, 18)} OPG`
}
