import { InvalidArgumentError, Option } from 'commander'
import { parseUnits } from 'viem'

/** An amount of OPG as people write it, in base units. */
export function parseOpg(text: string): bigint {
  if (!/^[0-9]{1,10}(\.[0-9]{1,18})?$/.test(text)) {
    throw new InvalidArgumentError('It must be an amount of OPG with at most 18 decimals, e.g. 0.05.')
  }
  return parseUnits(text, 18)
}

/** The same, of which there must be some: what moves no money is a transaction for nothing, or one that is refused. */
export function parseSomeOpg(text: string): bigint {
  const amount = parseOpg(text)
  if (amount === 0n) throw new InvalidArgumentError('It must be more than 0 OPG.')
  return amount
}

/**
 * An option that takes an amount of OPG.
 * @param standard what it is unless it is given; in words too, for Commander's help cannot print a bigint
 */
export function opgOption(flags: string, description: string, standard: string): Option {
  return new Option(flags, description).argParser(parseOpg).default(parseOpg(standard), standard)
}
