import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@assay/store'
import { duty } from '../src/fleet/duty.ts'
import { createMetrics } from '../src/metrics.ts'

test('what a duty counts is 0 where another gateway has the duty, whatever was counted before', async (t) => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  let ours = true
  const database = { engine: 'postgres', query: async () => (ours ? [{ name: 'answer' }] : []) }
  const metrics = createMetrics()
  const parts = { database: database as unknown as Database, instance: 'one', metrics }
  const look = duty(parts, 'answer', (own) => {
    own.metrics.gauge('open_demands', 'Demands.', () => 3)
    return async () => {}
  })
  const shown = () => /^assay_gateway_open_demands (\d+)$/m.exec(metrics.render())?.[1]
  await look()
  assert.equal(shown(), '3')
  // Silent for longer than the lease, then too late.
  now += 11_000
  assert.equal(shown(), '0')
  ours = false
  await look()
  assert.equal(shown(), '0')
  ours = true
  await look()
  assert.equal(shown(), '3')
})
