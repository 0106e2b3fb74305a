import { InvalidArgumentError } from 'commander'
import { parseUnits } from 'viem'

/** An amount of OPG as people write it, in base units. */
export function parseOpg(text: string): bigint {
  if (!/^[0-9]{1,10}(\.[0-9]{1,18})?$/.test(text)) {
    throw new InvalidArgumentError('It must be an amount of OPG with at most 18 decimals, e.g. 0.05.')
  }
  return parseUnits(text, 18)
}
