/** Names of parameters as the contracts know them, as votes state them and as voters read them. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CONTRACT_NAMES, type Contracts } from '@assay/protocol'
import { type Hex, numberToHex } from 'viem'
import { PARAMETERS, parameterKey, parameterName } from '../src/deploy/parameters.ts'
import { describeAction, setParameter } from '../src/index.ts'

const PARAMS = join(import.meta.dirname, '..', '..', '..', 'contracts', 'src', 'libraries', 'Params.sol')
const names = [...readFileSync(PARAMS, 'utf8').matchAll(/bytes32 internal constant \w+ = "(\w+)";/g)].map(
  ([, name]) => name as string,
)
const addresses = CONTRACT_NAMES.map((name, at): [string, Hex] => [name, numberToHex(at + 1, { size: 20 })])
const network = { contracts: Object.fromEntries(addresses) as Contracts }

test('the contracts and the deployment name the same parameters', () => {
  assert.deepEqual([...names].sort(), Object.keys(PARAMETERS).sort())
})

test('every name survives its way to the chain and back, and a voter reads it in the proposal', () => {
  for (const name of names) {
    assert.equal(parameterName(parameterKey(name)), name)
    assert.equal(describeAction(network, setParameter(network, name, 7n)), `ParamStore.set(${name}, 7)`)
  }
})
