/** The journal before the embedded database, over a disk that fails and a database that remembers what it was given. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
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

/** A disk that counts its syncs, and fails where it is told to. */
function disk() {
  const told = { syncs: 0, failSync: false, halfWrite: false }
  const made: Disk = {
    ...DISK,
    write(fd, bytes, position) {
      if (!told.halfWrite) return DISK.write(fd, bytes, position)
      return DISK.write(fd, bytes.subarray(0, bytes.length / 2), position)
    },
    async sync(fd) {
      told.syncs += 1
      await DISK.sync(fd)
      if (told.failSync) throw new Error('The disk does not take it.')
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

test('one sync makes a receipt durable and the claim before it; a claim alone is synced by itself', async () => {
  const folder = temporaryFolder('journal')
  const { told, made } = disk()
  const { writer, database } = await openJournal(memory().database, folder, made)
  const claim = await writer.claim(requestAt(0))
  await writer.record(receiptOf(0))
  await claim?.written
  assert.equal(told.syncs, 1)
  await (await writer.claim(requestAt(1)))?.written
  assert.equal(told.syncs, 2)
  await database.close()
})

test('a claim stands in its file as soon as it is made, so that kill -9 does not take it away', async () => {
  const folder = temporaryFolder('journal')
  const { database } = memory()
  const { writer } = await openJournal(database, folder)
  await writer.claim(requestAt(0))
  assert.deepEqual(await leftAfterDeath(folder), { claims: [requestIdAt(0)], receipts: [] })
})

test('a sync that fails takes back what it was for and what was written meanwhile; a lost claim holds, and is written with what becomes of it', async () => {
  const folder = temporaryFolder('journal')
  const { told, made } = disk()
  const { held, database } = memory()
  const { writer } = await openJournal(database, folder, made)
  await (await writer.claim(requestAt(0)))?.written
  told.failSync = true
  const lost = await writer.claim(requestAt(1))
  const recorded = writer.record(receiptOf(0))
  const meanwhile = await Promise.all([2, 3].map((index) => writer.claim(requestAt(index))))
  for (const write of [lost?.written, recorded, ...meanwhile.map((claim) => claim?.written)]) {
    await assert.rejects(write as Promise<unknown>, /does not take it/)
  }
  await assert.rejects(writer.record(receiptOf(1)), /does not take it/)
  await assert.rejects(writer.end(requestIdAt(2), 'failed'), /does not take it/)
  told.failSync = false
  for (const index of [1, 2, 3]) assert.equal(await writer.claim(requestAt(index)), undefined)
  await writer.record(receiptOf(1))
  await writer.end(requestIdAt(2), 'failed')
  assert.equal(await writer.claim(requestAt(2)), undefined)
  // No node has this one.
  await writer.end(requestIdAt(3), 'released')
  held.away = true
  assert.deepEqual(await leftAfterDeath(folder), {
    claims: [requestIdAt(0), requestIdAt(1), requestIdAt(2)],
    receipts: [requestIdAt(1)],
  })
  held.away = false
  await (await writer.claim(requestAt(3)))?.written
})

test('half a line is taken back, and the next stands in its place', async () => {
  const folder = temporaryFolder('journal')
  const { told, made } = disk()
  const { writer } = await openJournal(memory().database, folder, made)
  await (await writer.claim(requestAt(0)))?.written
  told.halfWrite = true
  await assert.rejects(writer.claim(requestAt(1)), /a part of the journal/)
  told.halfWrite = false
  await (await writer.claim(requestAt(2)))?.written
  assert.deepEqual((await leftAfterDeath(folder)).claims, [requestIdAt(0), requestIdAt(2)])
})

test('after a loss of power, lines that no sync had covered may be there in part; one that a sync had covered is missed', async () => {
  const folder = temporaryFolder('journal')
  const { database } = memory()
  const { writer } = await openJournal(database, folder)
  await (await writer.claim(requestAt(0)))?.written
  await Promise.all([1, 2, 3].map((index) => writer.claim(requestAt(index))))
  const [path = ''] = segmentsIn(folder)
  const whole = readFileSync(path)
  const damaged = (line: number): Buffer => {
    const lines = whole.toString('latin1').split('\n')
    return Buffer.from(
      lines.map((text, at) => (at === line ? '\0'.repeat(text.length) : text)).join('\n'),
      'latin1',
    )
  }
  writeFileSync(path, damaged(2))
  assert.deepEqual((await leftAfterDeath(folder)).claims, [requestIdAt(0), requestIdAt(1)])
  writeFileSync(path, damaged(0))
  await assert.rejects(
    openJournal(memory().database, folder),
    (error) => error instanceof AssayError && error.code === 'config',
  )
})

test('a segment that is full makes room for the next, and stays until the database holds all of it', async () => {
  const folder = temporaryFolder('journal')
  const { held, database } = memory()
  const journal = await openJournal(database, folder)
  held.away = true
  const expected: string[] = []
  for (let index = 0; segmentsIn(folder).length < 3; index++) {
    await (await journal.writer.claim(requestAt(index, 'x'.repeat(200_000))))?.written
    expected.push(requestIdAt(index))
  }
  await (await journal.writer.claim(requestAt(expected.length)))?.written
  expected.push(requestIdAt(expected.length))
  held.away = false
  await journal.database.query('select')
  assert.deepEqual(held.claims, expected)
  assert.ok(segmentsIn(folder).length < 3)
  await journal.database.close()
  assert.deepEqual(segmentsIn(folder), [])
})
