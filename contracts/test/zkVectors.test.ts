/** The vectors that the Solidity suites of class 2 judge are those that prover and recorder give. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { vectorsPath, zkVectors } from '../scripts/zkVectors.ts'

test('test/ZkVectors.sol holds what packages/zkml says of a false answer and of an honest one', () => {
  assert.equal(readFileSync(vectorsPath, 'utf8'), zkVectors(), 'npm run vectors --workspace contracts')
})
