import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dutyRoster } from '../src/dutyRoster.ts'

test('what has to wait for others does not keep the next of its party from its turn', async () => {
  const roster = dutyRoster({ isHopeless: () => false, onError: () => undefined })
  const runs = new Map<string, number>()
  for (const id of ['refused', 'refused too', 'honest', 'last']) {
    const run = async () => {
      runs.set(id, (runs.get(id) ?? 0) + 1)
      return id === 'honest'
    }
    roster.add({ id, party: 'one operator', block: 1n, run })
  }
  for (let round = 0; round < 4; round++) {
    roster.start()
    await roster.idle()
  }
  assert.equal(runs.get('honest'), 1)
  assert.equal(roster.open, 3)
  assert.ok([...runs.values()].every((count) => count > 0 && count <= 3))
})
