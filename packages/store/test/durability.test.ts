import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { AssayError } from '@assay/protocol'
import {
  type Database,
  duePayments,
  findRequest,
  openDatabase,
  openStore,
  outboxLoad,
  receiptStatus,
} from '@assay/store'
import { postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { newReceiptAt, requestAt } from './fixtures.ts'
import { holdLogWriters } from './holdLogWriters.ts'
import { killedAfter } from './killedAfter.ts'

const WRITER = new URL('./writer.ts', import.meta.url)

async function assertHolds(database: Database, acknowledged: Iterable<string>): Promise<void> {
  const ids = new Set(acknowledged)
  for (const requestId of ids) {
    const status = await receiptStatus(database, requestId)
    assert.equal(status?.requestState, 'finished')
    assert.equal(status.signed?.receipt.requestId, requestId)
    assert.equal(status.receiptState, 'outbox')
    assert.equal(status.payment?.state, 'none')
  }
  const { waiting } = await outboxLoad(database)
  assert.ok(waiting >= ids.size)
  assert.equal((await duePayments(database, 10_000)).length, waiting)
}

test('what was acknowledged survives kill -9 of the writer, with its payment, and the lock is taken over', async () => {
  const directory = temporaryFolder('store')
  const acknowledged: string[] = []
  for (const stopAfter of [1, 23, 60])
    acknowledged.push(...(await killedAfter(stopAfter, WRITER, [directory])))
  const database = await openDatabase({ directory })
  try {
    await assertHolds(database, acknowledged)
  } finally {
    await database.close()
  }
})

test('a journal whose last line is cut off gives all that was acknowledged; one that is damaged inside stops the start', async () => {
  const directory = temporaryFolder('store')
  const acknowledged = await killedAfter(40, WRITER, [directory])
  const folder = join(directory, 'journal')
  const segment = join(folder, readdirSync(folder).sort().at(-1) ?? '')
  const whole = readFileSync(segment)
  const lines = whole.toString().split('\n')
  assert.ok(lines.length > 40)

  lines[2] = (lines[2] ?? '').replace('"kind"', '"kinb"')
  writeFileSync(segment, lines.join('\n'))
  await assert.rejects(
    openDatabase({ directory }),
    (error) => error instanceof AssayError && error.code === 'config',
  )

  const behind = whole.lastIndexOf('\n') + 1
  writeFileSync(
    segment,
    Buffer.concat([whole.subarray(0, behind), Buffer.from(lines[4] ?? '').subarray(0, 100)]),
  )
  for (let opening = 0; opening < 2; opening++) {
    const database = await openDatabase({ directory })
    try {
      await assertHolds(database, acknowledged)
    } finally {
      await database.close()
    }
  }
})

test('what was acknowledged survives the death of the PostgreSQL server', {
  skip: postgresMissing(),
}, async () => {
  const server = await startPostgres()
  try {
    const databaseUrl = await server.createDatabase()
    const place = [temporaryFolder('store'), databaseUrl]
    const acknowledged: string[] = []
    for (const stopAfter of [5, 60]) {
      acknowledged.push(...(await killedAfter(stopAfter, WRITER, place, () => server.stop('crash'))))
      await server.start()
    }
    const database = await openDatabase({ directory: '', databaseUrl })
    await assertHolds(database, acknowledged)
    await database.close()
  } finally {
    await server.close()
  }
})

test('a claim alone may die with the PostgreSQL server: nothing is recorded under it then, and its payment is spent all the same', {
  skip: postgresMissing(),
}, async () => {
  const server = await startPostgres()
  try {
    const databaseUrl = await server.createDatabase()
    const { database, writer } = await openStore({ directory: '', databaseUrl })
    const letGo = await holdLogWriters(database)
    const [lost, kept] = [requestAt(0), requestAt(1)]
    const states = async () =>
      Promise.all([lost, kept].map(async ({ requestId }) => (await findRequest(database, requestId))?.state))
    assert.ok(await writer.claim(kept))
    await writer.record(await newReceiptAt(1))
    assert.ok(await writer.claim(lost))
    assert.deepEqual(await states(), ['forwarded', 'finished'])
    await Promise.all([server.stop('crash'), letGo()])
    await server.start()
    assert.deepEqual(await states(), [undefined, 'finished'])
    await assert.rejects(writer.record(await newReceiptAt(0)), /claim of this payment is gone/)
    await writer.end(lost.requestId, 'failed')
    assert.deepEqual(await states(), ['failed', 'finished'])
    assert.equal(await writer.claim(lost), false)
    await database.close()
  } finally {
    await server.close()
  }
})
