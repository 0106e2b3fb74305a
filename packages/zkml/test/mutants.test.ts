/** A slice of the campaign `npm run test:proofs`, which refuses a million mutants. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fullSizeSubjects, refuseMutants, tinySubjects } from './support/mutants.ts'

for (const subject of tinySubjects(1))
  test(`mutated proofs of a tiny circuit are refused: ${subject.name}`, () => {
    const { malformed, invalid } = refuseMutants(subject, 500, 7)
    assert.ok(malformed > 0 && invalid > 0)
  })

for (const subject of fullSizeSubjects(1))
  test(`mutated proofs of ${subject.name} are refused`, () => {
    const { malformed, invalid } = refuseMutants(subject, 40, 7)
    assert.ok(malformed > 0 && invalid > 0)
  })
