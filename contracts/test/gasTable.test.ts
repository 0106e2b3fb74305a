/** The gas table that is committed is the one that the contracts give. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drift, gasOf, measureGas, notedPage, notedTable, TOLERANCE, withTable } from '../scripts/gasTable.ts'

test('every call costs what gas.json says', async () => {
  assert.deepEqual(
    drift(notedTable(), await measureGas()),
    [],
    'npm run gas --workspace contracts -- --write',
  )
})

test('docs/gas.md shows gas.json', () => {
  assert.equal(withTable(notedPage(), notedTable()), notedPage())
})

test('a number that moves by more than the tolerance is drift, as is one that comes or goes', () => {
  const noted = { commit: 100_000, attest: 50_000 }
  const step = noted.commit * TOLERANCE
  assert.deepEqual(drift(noted, { commit: noted.commit + step, attest: 50_000 }), [])
  assert.equal(drift(noted, { commit: noted.commit + step + 1, attest: 50_000 }).length, 1)
  assert.equal(drift(noted, { commit: noted.commit - step - 1, attest: 50_000 }).length, 1)
  assert.equal(drift(noted, { commit: noted.commit }).length, 1)
  assert.equal(drift({ commit: noted.commit }, noted).length, 1)
})

test('a name that stands for two measurements is refused', () => {
  assert.throws(() => gasOf('Gas(what: "commit", gas: 1) Gas(what: "commit", gas: 2)'), /two measurements/)
})
