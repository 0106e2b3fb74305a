/** What was set aside and spent under a grant outlives whoever acknowledged it; what a server loses nobody has been told the end of. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Database, findRequest, grantUsage, openStore } from '@assay/store'
import { type Hex, keccak256, numberToHex } from 'viem'
import { postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { addGrant, callOf, grantReceipt, reserveIn } from './grantCalls.ts'
import { holdLogWriters } from './holdLogWriters.ts'
import { killedAfter } from './killedAfter.ts'

const GRANT = keccak256(numberToHex(1))

test('calls under a grant survive kill -9 of the writer as they were acknowledged, and no place is given out again', async () => {
  const directory = temporaryFolder('store')
  const program = new URL('./grantWriter.ts', import.meta.url)
  const told = new Map<string, string>()
  for (const stopAfter of [1, 40, 200]) {
    for (const line of await killedAfter(stopAfter, program, [directory, GRANT])) {
      const [requestId = '', state = ''] = line.split(' ')
      assert.ok(state !== 'forwarded' || !told.has(requestId), 'a place was given out twice')
      told.set(requestId, state)
    }
  }
  const { database, writer } = await openStore({ directory })
  try {
    let [finished, forwarded] = [0n, 0n]
    for (const [requestId, state] of told) {
      const now = (await findRequest(database, requestId))?.state
      // What was under way at the end may be further than what was told of it.
      assert.ok(now === state || (state === 'forwarded' && now !== undefined), `${state}, now ${now}`)
      if (now === 'finished') finished += 1n
      if (now === 'forwarded') forwarded += 1n
    }
    const usage = await grantUsage(database, GRANT)
    // The last call of each life may have been set aside without being told.
    assert.ok((usage?.spent ?? 0n) >= finished * 7n && (usage?.spent ?? 0n) <= (finished + 3n) * 7n)
    assert.ok((usage?.reserved ?? 0n) >= forwarded * 10n && (usage?.reserved ?? 0n) <= (forwarded + 3n) * 10n)
    // What it knows of the grant is what the database says, to the last unit.
    const left = 10n ** 9n - (usage?.spent ?? 0n) - (usage?.reserved ?? 0n)
    assert.equal((await reserveIn(writer, callOf(GRANT, left + 1n))).reserved, false)
    assert.equal((await reserveIn(writer, callOf(GRANT, left))).reserved, true)
  } finally {
    await database.close()
  }
})

test('a call under a grant may die with the PostgreSQL server: nothing is recorded in its place then, and nobody else has it', {
  skip: postgresMissing(),
}, async () => {
  const server = await startPostgres()
  try {
    const databaseUrl = await server.createDatabase()
    const { database, writer } = await openStore({ directory: '', databaseUrl })
    await addGrant(database, GRANT, { maxTotal: 100n })
    const kept = await placeOf(reserveIn(writer, callOf(GRANT, 10n)))
    const letGo = await holdLogWriters(database)
    await writer.record(await grantReceipt(kept, 10n))
    const lost = await placeOf(reserveIn(writer, callOf(GRANT, 90n)))
    assert.deepEqual(await statesOf(database, kept, lost), ['finished', 'forwarded'])
    await Promise.all([server.stop('crash'), letGo()])
    await server.start()
    assert.deepEqual(await statesOf(database, kept, lost), ['finished', undefined])
    // The money is free again, and another call has it, in another place.
    const next = await placeOf(reserveIn(writer, callOf(GRANT, 90n)))
    assert.notEqual(next, lost)
    await assert.rejects(writer.record(await grantReceipt(lost, 90n)), /is gone/)
    await writer.end(lost, 'failed')
    await writer.record(await grantReceipt(next, 90n))
    assert.deepEqual(await statesOf(database, kept, lost, next), ['finished', undefined, 'finished'])
    assert.equal((await grantUsage(database, GRANT))?.spent, 100n)
    await database.close()
  } finally {
    await server.close()
  }
})

async function placeOf(reserving: Promise<{ reserved: boolean; requestId?: Hex }>): Promise<Hex> {
  const { requestId } = await reserving
  return requestId ?? assert.fail('nothing was set aside')
}

function statesOf(database: Database, ...requestIds: Hex[]): Promise<(string | undefined)[]> {
  return Promise.all(requestIds.map(async (requestId) => (await findRequest(database, requestId))?.state))
}
