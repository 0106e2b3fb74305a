/** The journal before the embedded database, over a disk that fails and a database that remembers what it was given. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import type { Database, Queryable } from '../src/database.ts'
import { openJournal } from '../src/journal/openJournal.ts'
import { DISK, type Disk } from '../src/journal/segment.ts'
import type { NewReceipt } from '../src/receipts.ts'
import type { NewRequest } from '../src/requests.ts'
import { requestIdAt } from './fixtures.ts'

const requestAt = (index: number, collect = '{}'): NewRequest => ({
  requestId: requestIdAt(index),
  payer: '0x01',
  scheme: 1,
  authorised: 100n,
  expiresAt: 2_000_000_000n,
  collect,
  modelId: requestIdAt(1),
  nodeUrl: 'http://127.0.0.1:1',
  requestHash: requestIdAt(2),
  instance: 'test',
})
const receiptOf = (index: number): NewReceipt => ({
  requestId: requestIdAt(index),
  receipt: '{}',
  signature: '0x',
  leaf: '0x',
  price: 7n,
  collectAmount: 7n,
  prepaid: false,
})

/** Holds the ids of what was claimed and recorded, in their order, as far as its transactions were committed. */
function memory() {
  const held = { applied: '0', claims: [] as string[], receipts: [] as string[], away: false }
  async function query<Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    if (held.away) throw new Error('The database is away.')
    if (sql.includes('from journal')) return [{ applied: held.applied }] as unknown as Row[]
    if (sql.startsWith('update journal')) held.applied = String(values[0])
    else if (sql.includes('insert into requests')) {
      const claims = JSON.parse(String(values[0])) as { requestId: string }[]
      held.claims.push(...claims.map(({ requestId }) => requestId))
    } else if (sql.includes('insert into receipts')) {
      const ids = values[0] as string[]
      held.receipts.push(...ids)
      return ids.map((request_id) => ({ request_id })) as unknown as Row[]
    }
    return []
  }
  const database: Database = {
    engine: 'pglite',
    query,
    transaction: (work) => work({ query } satisfies Queryable),
    close: async () => {},
  }
  return { held, database }
}

/** A disk that fails where it is told to. */
function disk() {
  const told = { halfWrite: false, full: false, failSync: false, failTruncate: false }
  const full = () => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  const made: Disk = {
    write(fd, bytes, position) {
      if (told.full) throw full()
      return DISK.write(fd, told.halfWrite ? bytes.subarray(0, bytes.length / 2) : bytes, position)
    },
    async sync(fd) {
      await DISK.sync(fd)
      if (told.failSync) throw new Error('The disk does not take it.')
    },
    truncate(fd, length) {
      if (told.failTruncate) throw new Error('The disk is gone.')
      DISK.truncate(fd, length)
    },
  }
  return { told, made }
}

const segmentsIn = (folder: string) => readdirSync(folder).map((name) => join(folder, name))

/** What a process that dies now leaves to the next. */
async function leftAfterDeath(folder: string): Promise<{ claims: string[]; receipts: string[] }> {
  const { held, database } = memory()
  await (await openJournal(database, folder)).database.close()
  return { claims: held.claims, receipts: held.receipts }
}

test('a claim and its receipt stand in their file as soon as they are acknowledged, so that kill -9 does not take them away', async () => {
  const folder = temporaryFolder('journal')
  const { writer } = await openJournal(memory().database, folder)
  await writer.claim(requestAt(0))
  await writer.record(receiptOf(0))
  await writer.claim(requestAt(1))
  assert.deepEqual(await leftAfterDeath(folder), {
    claims: [requestIdAt(0), requestIdAt(1)],
    receipts: [requestIdAt(0)],
  })
})

test('what the disk does not take is not acknowledged, leaves nothing behind, and may be asked for again', async () => {
  const folder = temporaryFolder('journal')
  const { told, made } = disk()
  const { writer } = await openJournal(memory().database, folder, made)
  assert.equal(await writer.claim(requestAt(0)), true)
  for (const [fault, said] of [
    ['halfWrite', /a part of the journal/],
    ['full', /no space left/],
  ] as const) {
    told[fault] = true
    await assert.rejects(writer.claim(requestAt(1)), said)
    await assert.rejects(writer.record(receiptOf(0)), said)
    await assert.rejects(writer.end(requestIdAt(0), 'failed'), said)
    told[fault] = false
  }
  assert.equal(await writer.claim(requestAt(1)), true)
  await writer.record(receiptOf(0))
  assert.deepEqual(await leftAfterDeath(folder), {
    claims: [requestIdAt(0), requestIdAt(1)],
    receipts: [requestIdAt(0)],
  })
})

test('a file that keeps half a line takes no other behind it', async () => {
  const folder = temporaryFolder('journal')
  const { told, made } = disk()
  const { writer } = await openJournal(memory().database, folder, made)
  await writer.claim(requestAt(0))
  Object.assign(told, { halfWrite: true, failTruncate: true })
  await assert.rejects(writer.claim(requestAt(1)), /a part of the journal/)
  told.halfWrite = false
  await assert.rejects(writer.claim(requestAt(2)), /The disk is gone/)
  assert.deepEqual((await leftAfterDeath(folder)).claims, [requestIdAt(0)])
})

test('nothing rests on a sync: where it fails, what was acknowledged is applied all the same', async () => {
  const folder = temporaryFolder('journal')
  const { told, made } = disk()
  const { held, database } = memory()
  const journal = await openJournal(database, folder, made)
  told.failSync = true
  const sync = mock.method(made, 'sync')
  await journal.writer.claim(requestAt(0))
  await until(async () => sync.mock.callCount() > 0)
  await journal.writer.record(receiptOf(0))
  await journal.database.close()
  assert.deepEqual([held.claims, held.receipts], [[requestIdAt(0)], [requestIdAt(0)]])
  assert.deepEqual(segmentsIn(folder), [])
})

test('a last line that is cut off was never acknowledged; one that is damaged before others stops the start', async () => {
  const folder = temporaryFolder('journal')
  const { writer } = await openJournal(memory().database, folder)
  for (const index of [0, 1, 2]) await writer.claim(requestAt(index))
  const [path = ''] = segmentsIn(folder)
  const whole = readFileSync(path, 'latin1')
  const lines = whole.split('\n')
  const leave = (text: string) => writeFileSync(path, text, 'latin1')
  const [first, second, third] = [0, 1, 2].map(requestIdAt)
  for (const [text, left] of [
    // Its end alone is missing: the line says itself that it is whole.
    [whole.slice(0, -1), [first, second, third]],
    [whole.slice(0, -2), [first, second]],
    ['\0'.repeat(whole.length), []],
  ] as const) {
    leave(text)
    assert.deepEqual((await leftAfterDeath(folder)).claims, left)
  }
  leave([lines[0], '\0'.repeat(lines[1]?.length ?? 0), lines[2], ''].join('\n'))
  await assert.rejects(
    openJournal(memory().database, folder),
    (error) => error instanceof AssayError && error.code === 'config' && error.facts?.line === 2,
  )
})

test('a segment that is full makes room for the next, and stays until the database holds all of it', async () => {
  const folder = temporaryFolder('journal')
  const { held, database } = memory()
  const journal = await openJournal(database, folder)
  held.away = true
  const expected: string[] = []
  for (let index = 0; segmentsIn(folder).length < 3; index++) {
    await journal.writer.claim(requestAt(index, 'x'.repeat(200_000)))
    expected.push(requestIdAt(index))
  }
  await journal.writer.claim(requestAt(expected.length))
  expected.push(requestIdAt(expected.length))
  held.away = false
  await journal.database.query('select')
  assert.deepEqual(held.claims, expected)
  assert.ok(segmentsIn(folder).length < 3)
  await journal.database.close()
  assert.deepEqual(segmentsIn(folder), [])
})
