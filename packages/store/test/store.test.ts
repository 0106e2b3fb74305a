import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { AssayError, buildBatch } from '@assay/protocol'
import {
  batchFile,
  claimRequests,
  type Database,
  dissolveBatch,
  duePayments,
  endRequest,
  expireReceipts,
  failClaim,
  findBatch,
  findRequest,
  frozenBatch,
  groupCommit,
  groupWriter,
  highestHeight,
  holdLease,
  insertBatch,
  interruptRequests,
  latelyOf,
  leaveFleet,
  lockDirectory,
  lockHeights,
  type NamedClaim,
  type NewRequest,
  openAmountOf,
  openAmounts,
  openDatabase,
  openStore,
  outboxLoad,
  postponePayment,
  receiptStatus,
  recordReceipts,
  releaseClaim,
  returnPayments,
  seeGateway,
  setBatchState,
  setPaymentState,
  takeDuePayments,
  takeOutbox,
  watchedBatches,
} from '@assay/store'
import { onEachEngine } from '../../../test/postgres/engines.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { DEPLOYMENT, newReceiptAt, receiptAt, requestAt, requestIdAt } from './fixtures.ts'

async function record(database: Database, index: number, price: bigint): Promise<void> {
  assert.deepEqual(await recordReceipts(database, [await newReceiptAt(index, price)]), [true])
}

onEachEngine('store', (newPlace) => {
  let database: Database
  before(async () => {
    database = await openDatabase(await newPlace())
  })
  after(() => database?.close())

  test('a payment is claimed once, of twins in one group the first, and again only after a release', async () => {
    assert.deepEqual(await claimRequests(database, [requestAt(0), requestAt(0)]), [true, false])
    assert.deepEqual(await claimRequests(database, [requestAt(0)]), [false])
    await endRequest(database, requestIdAt(0), 'released')
    assert.deepEqual(await claimRequests(database, [requestAt(0)]), [true])
    await endRequest(database, requestIdAt(0), 'failed')
    assert.deepEqual(await claimRequests(database, [requestAt(0)]), [false])
  })

  test('a payment whose receipt was given up while it was being collected ends when that fails', async () => {
    await claimRequests(database, [requestAt(40), requestAt(41)])
    for (const index of [40, 41]) {
      await record(database, index, 5n)
      await setPaymentState(database, [requestIdAt(index)], 'submitted')
    }
    await expireReceipts(database, [requestIdAt(40)])
    const stateAt = async (index: number) =>
      (await receiptStatus(database, requestIdAt(index)))?.payment?.state
    // It may have reached the chain.
    assert.equal(await stateAt(40), 'submitted')
    for (const index of [40, 41])
      await postponePayment(database, requestIdAt(index), 'busy', { delayMs: 60_000 })
    assert.deepEqual([await stateAt(40), await stateAt(41)], ['failed', 'none'])
    for (const index of [40, 41]) {
      await setPaymentState(database, [requestIdAt(index)], 'settled')
      await expireReceipts(database, [requestIdAt(index)])
    }
  })

  test('a payment that was released and is signed anew for more counts as what is authorised now', async () => {
    const less = { ...requestAt(36), authorised: 10n, expiresAt: 2000n }
    const more = { ...less, authorised: 1000n, expiresAt: 3000n }
    await claimRequests(database, [less])
    await endRequest(database, less.requestId, 'released')
    assert.deepEqual(await claimRequests(database, [more]), [true])
    const { authorised, expiresAt } = (await findRequest(database, less.requestId)) as NewRequest
    assert.deepEqual({ authorised, expiresAt }, { authorised: 1000n, expiresAt: 3000n })
    await endRequest(database, less.requestId, 'failed')
  })

  test('a gateway ends its own claim, never that of another under the same payment', async () => {
    const [late, here] = [groupWriter(database), groupWriter(database)]
    // Its claim never reached the database, which it cannot know.
    const away = { ...database, query: () => Promise.reject(new Error('The database is away.')) }
    const [request, others] = [
      { ...requestAt(30), instance: 'late' },
      { ...requestAt(30), instance: 'here' },
    ]
    await assert.rejects(groupWriter(away).claim(request), /is away/)
    assert.ok(await here.claim(others))
    assert.equal(await late.claim(request), false)
    for (const end of [releaseClaim, failClaim]) await end(database, { ...request, claimId: 'late' })
    const { requestId } = request
    assert.equal((await findRequest(database, requestId))?.state, 'forwarded')
    await here.end(requestId, 'released')
    assert.ok(await late.claim(request))
    await late.end(requestId, 'failed')
    assert.equal(await here.claim(others), false)
  })

  test('what is late for one claim of a payment does not touch the next, though one gateway made both', async () => {
    const [first, second] = ['first', 'second'].map((claimId) => ({ ...requestAt(34), claimId }))
    const claims = [first, second] as [NamedClaim, NamedClaim]
    const state = async () => (await findRequest(database, requestIdAt(34)))?.state
    assert.deepEqual(await claimRequests(database, [claims[0]]), [true])
    await releaseClaim(database, claims[0])
    assert.equal(await state(), 'released')
    assert.deepEqual(await claimRequests(database, [claims[1]]), [true])
    for (const end of [releaseClaim, failClaim]) await end(database, claims[0])
    const receipt = await newReceiptAt(34)
    assert.deepEqual(await recordReceipts(database, [{ ...receipt, claimId: 'first' }]), [false])
    assert.equal(await state(), 'forwarded')
    await failClaim(database, claims[1])
    assert.equal(await state(), 'failed')
  })

  test('under a claim that a crash of the server took nothing is recorded, and its end is written as if it stood', async () => {
    const [ours, theirs] = [groupWriter(database), groupWriter(database)]
    const crash = (index: number) =>
      database.query('delete from requests where request_id = $1', [requestIdAt(index)])
    for (const index of [31, 32]) {
      assert.ok(await ours.claim({ ...requestAt(index), instance: 'ours' }))
      await crash(index)
    }
    // Another gateway has claimed the payment of the second since.
    assert.ok(await theirs.claim({ ...requestAt(32), instance: 'theirs' }))
    for (const index of [31, 32])
      await assert.rejects(ours.record(await newReceiptAt(index)), /claim .* is gone/)
    for (const index of [31, 32]) await ours.end(requestIdAt(index), 'failed')
    for (const index of [31, 32])
      await assert.rejects(ours.record(await newReceiptAt(index)), /claim .* is gone/)
    assert.equal(await theirs.claim({ ...requestAt(31), instance: 'theirs' }), false)
    await theirs.record(await newReceiptAt(32))
    const rows = await Promise.all([31, 32].map((index) => findRequest(database, requestIdAt(index))))
    assert.deepEqual(
      rows.map((row) => row?.state),
      ['failed', 'finished'],
    )
    // Out of the way of the tests that follow.
    for (const table of ['payments', 'receipts', 'requests'])
      await database.query(`delete from ${table} where request_id = $1`, [requestIdAt(32)])
  })

  test('what a payer called is counted from the claim, however much later somebody looks', async () => {
    const payer = `0x${'77'.repeat(20)}`
    const requests = [20, 21, 22].map((index) => ({ ...requestAt(index), payer }))
    const [older, before, asked] = requests as [NewRequest, NewRequest, NewRequest]
    await claimRequests(database, requests)
    const now = Date.now() / 1000
    const age = (request: NewRequest, seconds: number) =>
      database.query('update requests set created_at = to_timestamp($2::float8) where request_id = $1', [
        request.requestId,
        now - seconds,
      ])
    await age(older, 300 + 61)
    await age(before, 300 + 59)
    await age(asked, 300)
    const lately = await latelyOf(database, asked)
    assert.equal(lately.calls, 1)
    assert.equal(Math.round(lately.callsAgeMs / 1000), 59)
    assert.equal(lately.spent, older.authorised + before.authorised)
    assert.equal(Math.round(lately.spentAgeMs / 1000), 61)
    for (const { requestId } of requests) await endRequest(database, requestId, 'released')
    assert.equal((await latelyOf(database, asked)).calls, 0)
  })

  test('a receipt goes outbox, batch, void, outbox, and keeps its bytes and its 128-bit money', async () => {
    await claimRequests(database, [requestAt(10), requestAt(11), requestAt(12)])
    assert.equal((await openAmounts(database)).filter((open) => open.amount === 2n ** 127n).length, 3)
    await record(database, 10, 2n ** 100n)
    await record(database, 10, 2n ** 100n)
    await record(database, 11, 0n)
    await record(database, 12, 5n)
    assert.equal((await outboxLoad(database)).waiting, 3)
    assert.deepEqual(
      (await duePayments(database, 10)).map((payment) => payment.amount).sort(),
      [2n ** 100n, 5n].sort(),
    )
    const committer = `0x${'04'.repeat(20)}` as const
    const batch = await database.transaction(async (transaction) => {
      const receipts = await takeOutbox(transaction, 100)
      const built = buildBatch({ deployment: DEPLOYMENT, committer, height: 3n, receipts })
      await insertBatch(transaction, frozenBatch(built))
      return built
    })
    assert.deepEqual(await batchFile(database, batch.batchId), batch.file)
    assert.equal((await outboxLoad(database)).waiting, 0)
    assert.equal(await highestHeight(database, committer), 3n)
    assert.equal((await findBatch(database, batch.batchId))?.sum, 2n ** 100n + 5n)
    await setBatchState(database, batch.batchId, 'committed', `0x${'aa'.repeat(32)}`)
    assert.equal((await receiptStatus(database, requestIdAt(10)))?.batchState, 'committed')
    assert.equal((await watchedBatches(database, committer, 0n)).length, 1)
    await database.transaction((transaction) => dissolveBatch(transaction, batch.batchId, 'void'))
    assert.equal((await outboxLoad(database)).waiting, 3)
    assert.equal((await watchedBatches(database, committer, 5n)).length, 0)
    assert.equal((await receiptStatus(database, requestIdAt(10)))?.receiptState, 'outbox')
  })

  test('batches that are not paid out keep none from the chain, however many they are', async () => {
    const committer = `0x${'0c'.repeat(20)}`
    await database.query(
      `insert into batches (batch_id, committer, height, root, sum, exposure, count, data_hash, file, groups, state)
       select 'watched ' || height, $1, height, '0x', 0, 0, 1, '0x', '', '[]', case when height > 600 then 'frozen' else 'final' end
       from generate_series(1, 602) as height`,
      [committer],
    )
    const heights = (await watchedBatches(database, committer, 0n)).map(({ height }) => height)
    assert.deepEqual(heights.slice(0, 4), [601n, 602n, 1n, 2n])
    await database.query('delete from batches where committer = $1', [committer])
  })

  test('a payment that was put off is not due, one that failed never is', async () => {
    await postponePayment(database, requestIdAt(10), 'later', { delayMs: 60_000 })
    await postponePayment(database, requestIdAt(12), 'drained', 'failed')
    assert.equal((await duePayments(database, 10)).length, 0)
    const failed = await receiptStatus(database, requestIdAt(12))
    assert.equal(failed?.payment?.failure, 'drained')
    assert.equal(failed?.payment?.state, 'failed')
    await setPaymentState(database, [requestIdAt(10)], 'locked', `0x${'bb'.repeat(32)}`)
    assert.equal((await receiptStatus(database, requestIdAt(10)))?.payment?.state, 'locked')
  })

  test('a transaction that throws leaves nothing behind', async () => {
    await assert.rejects(
      database.transaction(async (transaction) => {
        await claimRequests(transaction, [requestAt(50)])
        throw new Error('no')
      }),
      /no/,
    )
    assert.equal(await receiptStatus(database, requestIdAt(50)), undefined)
  })

  test('a height is given out once, however many freeze at a time', async () => {
    const committer = `0x${'0c'.repeat(20)}` as const
    const freeze = (index: number) =>
      database.transaction(async (transaction) => {
        await lockHeights(transaction, committer)
        const height = (await highestHeight(transaction, committer)) + 1n
        const receipts = [await receiptAt(index)]
        await insertBatch(
          transaction,
          frozenBatch(buildBatch({ deployment: DEPLOYMENT, committer, height, receipts })),
        )
        return height
      })
    const heights = await Promise.all([70, 71, 72, 73, 74].map(freeze))
    assert.deepEqual(heights.map(Number).sort(), [1, 2, 3, 4, 5])
  })

  test('a duty is one gateway\u2019s until it leaves or stays away', async () => {
    assert.equal(await holdLease(database, 'track', 'a', 60_000), true)
    assert.equal(await holdLease(database, 'track', 'b', 60_000), false)
    assert.equal(await holdLease(database, 'track', 'a', 0), true)
    assert.equal(await holdLease(database, 'track', 'b', 60_000), true)
    await leaveFleet(database, 'b')
    assert.equal(await holdLease(database, 'track', 'a', 60_000), true)
  })

  test('what a dead gateway left on its way ends; a living one\u2019s goes on, and a receipt wins over both', async () => {
    const requests = [80, 81, 82].map((index) => ({ ...requestAt(index), instance: `gateway ${index}` }))
    assert.deepEqual(await claimRequests(database, requests), [true, true, true])
    await seeGateway(database, 'gateway 81')
    await seeGateway(database, 'gateway 82')
    const ended = await interruptRequests(database, 'gateway 82', 0)
    // The silence is over for every other gateway at once, for it is none at all.
    assert.deepEqual(
      ended.filter((id) => requests.some(({ requestId }) => requestId === id)).sort(),
      [requestIdAt(80), requestIdAt(81)].sort(),
    )
    await seeGateway(database, 'gateway 81')
    assert.equal((await findRequest(database, requestIdAt(82)))?.state, 'forwarded')
    assert.deepEqual(await interruptRequests(database, 'gateway 80', 60_000), [])
    await record(database, 81, 3n)
    assert.equal((await receiptStatus(database, requestIdAt(81)))?.requestState, 'finished')
  })

  test('due payments are taken by one gateway, and by the next once they are given back', async () => {
    const payer = `0x${'0e'.repeat(20)}`
    await claimRequests(
      database,
      [90, 91, 92, 93].map((index) => ({ ...requestAt(index), payer, authorised: 100n })),
    )
    assert.equal(await openAmountOf(database, payer), 400n)
    for (const index of [90, 91, 92, 93]) await record(database, index, 9n)
    assert.equal(await openAmountOf(database, payer), 36n)
    const [first, second] = await Promise.all([
      takeDuePayments(database, 100, 60_000),
      takeDuePayments(database, 100, 60_000),
    ])
    const ids = [...first, ...second].map((payment) => payment.requestId)
    assert.equal(new Set(ids).size, ids.length)
    for (const index of [90, 91, 92, 93]) assert.ok(ids.includes(requestIdAt(index)))
    assert.deepEqual(await takeDuePayments(database, 100, 60_000), [])
    await returnPayments(database, [requestIdAt(91)])
    assert.deepEqual(
      (await takeDuePayments(database, 100, 60_000)).map((payment) => payment.requestId),
      [requestIdAt(91)],
    )
  })
})

test('group commit: every caller gets its own result, writes never overlap, a failed write fails only its group', async () => {
  let running = 0
  const sizes: number[] = []
  const commit = groupCommit(async (items: number[]) => {
    assert.equal(++running, 1)
    sizes.push(items.length)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    if (items.includes(99)) throw new Error('disk')
    return items.map((item) => item * 2)
  })
  const first = commit(1)
  const rest = Promise.all([2, 3, 4].map(commit))
  assert.equal(await first, 2)
  assert.deepEqual(await rest, [4, 6, 8])
  assert.deepEqual(sizes, [1, 3])
  await assert.rejects(commit(99), /disk/)
  assert.equal(await commit(5), 10)
})

test('a live lock is a clear error, a stale one is taken over', () => {
  const directory = temporaryFolder('store')
  const release = lockDirectory(directory)
  assert.throws(
    () => lockDirectory(directory),
    (error) => error instanceof AssayError && error.code === 'conflict' && /pid/.test(error.message),
  )
  const path = join(directory, 'owner.lock')
  const owner = JSON.parse(readFileSync(path, 'utf8'))
  // The same pid, started at another time: another process than the one that took the lock.
  writeFileSync(path, JSON.stringify({ ...owner, started: 'before the reboot' }))
  lockDirectory(directory)()
  release()
  lockDirectory(directory)()
})

test('the journal claims at once, and applies what befell one request in its order', async () => {
  const { database, writer } = await openStore({ directory: temporaryFolder('store') })
  assert.equal(await writer.claim(requestAt(0)), true)
  assert.equal(await writer.claim(requestAt(0)), false)
  for (const index of [1, 2]) await writer.claim(requestAt(index))
  await writer.record(await newReceiptAt(1))
  await writer.end(requestIdAt(0), 'released')
  await writer.end(requestIdAt(2), 'failed')
  await writer.claim({ ...requestAt(0), nodeUrl: 'http://127.0.0.1:2' })
  await writer.record(await newReceiptAt(0))
  const rows = await Promise.all([0, 1, 2].map((index) => findRequest(database, requestIdAt(index))))
  assert.deepEqual(
    rows.map((row) => row?.state),
    ['finished', 'finished', 'failed'],
  )
  assert.equal(rows[0]?.nodeUrl, 'http://127.0.0.1:2')
  assert.equal((await duePayments(database, 10)).length, 2)
  await database.close()
})
