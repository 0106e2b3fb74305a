/** How long an answer is held back for its own settlement event. In a file of its own, for its time stands still. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Database, SqlValue } from '@assay/store'
import type { Hex } from 'viem'
import { createStatements } from '../src/opengradient/statements.ts'

const HASH: Hex = `0x${'77'.repeat(32)}`

test('an answer without a statement is not held back for an event that will never be', async (t) => {
  // Time stands still, so what waits for longer than its answer waits for ever.
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const individual = { 'x-settlement-type': 'individual' }
  const kept = new Set<SqlValue>()
  const database: Database = {
    engine: 'pglite',
    query: async <Row extends object>(_sql: string, [id]: readonly SqlValue[] = []) =>
      (kept.has(id ?? null) ? [{}] : []) as Row[],
    transaction: () => assert.fail('nothing is written'),
    close: async () => undefined,
  }
  const statements = createStatements(database)
  assert.deepEqual(await statements.headersOf(HASH, individual), {})
  // One that its enclave did sign for is held until its event, or until its caller has waited long enough.
  kept.add(HASH)
  const headers = statements.headersOf(HASH, individual)
  await setImmediate()
  t.mock.timers.tick(29_999)
  statements.told(HASH, { transactionHash: HASH, dataHash: HASH })
  assert.equal((await headers)['x-settlement-tx-hash'], HASH)
  const late = statements.headersOf(HASH, individual)
  await setImmediate()
  t.mock.timers.tick(30_000)
  assert.deepEqual(await late, {})
})
