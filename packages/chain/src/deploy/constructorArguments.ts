import { AssayError } from '@assay/protocol'
import type { Abi } from 'viem'

/**
 * Arguments of a contract's constructor, found by parameter name (without the underscores that Solidity puts around
 * it): a contract says itself what it needs, and a renamed or added parameter is an error and not a swapped address.
 * @throws AssayError `config`
 */
export function constructorArguments(name: string, abi: Abi, values: Record<string, unknown>): unknown[] {
  const found = abi.find((entry) => entry.type === 'constructor')
  return (found?.inputs ?? []).map((input) => {
    const key = (input.name ?? '').replace(/^_+|_+$/g, '')
    const value = values[key]
    if (value !== undefined) return value
    throw new AssayError(`The deployment does not know an argument of ${name}.`, {
      code: 'config',
      facts: { contract: name, argument: `${input.type} ${input.name ?? ''}` },
      next: 'The contracts and packages/chain/src/deploy must be of one version.',
    })
  })
}
