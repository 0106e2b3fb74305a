/** What is set aside and spent under a grant, against a model of it: never more than the deposit, the total and the hour. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { smaller } from '@assay/protocol'
import {
  addApiKey,
  type Database,
  expireReceipts,
  findApiKey,
  findRequest,
  grantDebits,
  grantUsage,
  groupWriter,
  interruptRequests,
  MAX_API_KEYS,
  openAmounts,
  openStore,
  type RequestWriter,
  recordReceipts,
  revokeApiKey,
  takeOutbox,
} from '@assay/store'
import fc from 'fast-check'
import { type Hex, keccak256, numberToHex } from 'viem'
import { onEachEngine } from '../../../test/postgres/engines.ts'
import { addGrant, callOf, grantReceipt, placeIdOf, reserveIn, type Unplaced } from './grantCalls.ts'

let database: Database
let writer: RequestWriter

let grants = 0

async function newGrant(terms: { maxTotal: bigint; ratePerHour?: bigint }): Promise<Hex> {
  const grantId = keccak256(numberToHex(++grants))
  await addGrant(database, grantId, terms)
  return grantId
}

/** All at once, as calls of one moment come. */
const reserve = (...calls: Unplaced[]) => Promise.all(calls.map((call) => reserveIn(writer, call)))

async function reserved(...calls: Unplaced[]): Promise<Hex[]> {
  return (await reserve(...calls)).map((call) => (call.reserved ? call.requestId : assert.fail(call.why)))
}

const record = async (requestId: Hex, price: bigint) => writer.record(await grantReceipt(requestId, price))

onEachEngine('store-grants', (newPlace) => {
  before(async () => {
    ;({ database, writer } = await openStore(await newPlace()))
  })
  after(() => database?.close())

  test('any order of reservations, receipts, failures and crashes keeps to deposit, total and hour', async () => {
    const move = fc.record({
      kind: fc.constantFrom('reserve', 'reserve', 'finish', 'fail', 'crash'),
      amounts: fc.array(fc.bigInt(0n, 40n), { minLength: 1, maxLength: 5 }),
      pick: fc.nat(19),
    })
    const terms = fc.record({
      maxTotal: fc.bigInt(0n, 200n),
      funded: fc.bigInt(0n, 200n),
      ratePerHour: fc.oneof(fc.constant(0n), fc.bigInt(1n, 150n)),
    })
    await fc.assert(
      fc.asyncProperty(terms, fc.array(move, { maxLength: 25 }), async ({ funded, ...limits }, moves) => {
        const grantId = await newGrant(limits)
        const open = new Map<Hex, bigint>()
        const counters = new Set<bigint>()
        let spent = 0n
        for (const { kind, amounts, pick } of moves) {
          if (kind === 'reserve') {
            const calls = amounts.map((amount) => callOf(grantId, amount, funded))
            for (const [at, result] of (await reserve(...calls)).entries()) {
              if (!result.reserved) continue
              assert.ok(!counters.has(result.counter))
              counters.add(result.counter)
              open.set(result.requestId, amounts[at] as bigint)
            }
          } else if (kind === 'crash') {
            await interruptRequests(database, 'elsewhere', 0)
            open.clear()
          } else {
            const [requestId, maximum] = [...open][pick % Math.max(1, open.size)] ?? []
            if (requestId === undefined || maximum === undefined) continue
            open.delete(requestId)
            if (kind === 'fail') await writer.end(requestId, 'failed')
            else {
              const price = smaller(amounts[0] as bigint, maximum)
              await record(requestId, price)
              spent += price
            }
          }
          const reserved = [...open.values()].reduce((sum, amount) => sum + amount, 0n)
          const usage = await grantUsage(database, grantId)
          assert.deepEqual([usage?.spent, usage?.reserved], [spent, reserved])
          const used = spent + reserved
          assert.ok(used <= smaller(limits.maxTotal, funded), `${used} of ${funded}, ${limits.maxTotal}`)
          if (limits.ratePerHour > 0n) assert.ok(used <= limits.ratePerHour, `${used} in an hour`)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('each refusal says why, and what stays free', async () => {
    const grantId = await newGrant({ maxTotal: 100n, ratePerHour: 90n })
    const said: unknown[] = []
    for (const amount of [60n, 101n, 95n, 35n, 30n, 20n]) {
      const [result] = await reserve(callOf(grantId, amount))
      said.push(result?.reserved === false ? [result.why, result.left] : 'reserved')
    }
    assert.deepEqual(said, [
      ...['reserved', ['total', 100n], ['rate', 90n], ['rate_busy', 30n], 'reserved'],
      ['busy', 10n],
    ])
    const [unknown] = await reserve(callOf(`0x${'ee'.repeat(32)}`, 1n))
    assert.equal(unknown?.reserved === false && unknown.why, 'unknown')
  })

  test('calls of one moment, and of writers that know nothing of each other, share what is left', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const others = database.engine === 'postgres' ? [groupWriter(database), groupWriter(database)] : []
    const writers = [writer, ...others]
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, at) =>
        reserveIn(writers[at % writers.length] as RequestWriter, callOf(grantId, 3n)),
      ),
    )
    const places = results.flatMap((result) => (result.reserved ? [result.counter] : []))
    assert.equal(places.length, 33)
    assert.equal(new Set(places).size, 33)
    assert.equal((await grantUsage(database, grantId))?.reserved, 99n)
  })

  test('a call of which nobody knows whether it was set aside is ended, and by no statement that comes late begun again', async () => {
    for (const lost of ['statement', 'answer'] as const) {
      const grantId = await newGrant({ maxTotal: 100n })
      let late = async (): Promise<unknown> => undefined
      const unsure = groupWriter({
        ...database,
        async query(sql, parameters) {
          if (!sql.includes('taken as')) return database.query(sql, parameters)
          late = () => database.query(sql, parameters)
          if (lost === 'answer') await late()
          throw new Error('no answer')
        },
      })
      const counter = (await unsure.takePlace(grantId)) ?? assert.fail('no place')
      const requestId = placeIdOf(grantId, counter)
      await assert.rejects(unsure.reserve({ ...callOf(grantId, 10n), counter, requestId }), /no answer/)
      await unsure.end(requestId, 'failed')
      await assert.rejects(late())
      assert.equal((await findRequest(database, requestId))?.state, 'failed')
      assert.equal((await grantUsage(database, grantId))?.reserved, 0n)
    }
  })

  test('a call that was refused may be set aside in the same place once there is room', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const counter = (await writer.takePlace(grantId)) ?? assert.fail('no place')
    const requestId = placeIdOf(grantId, counter)
    const tryWith = (funded: bigint) =>
      writer.reserve({ ...callOf(grantId, 10n, funded), counter, requestId })
    assert.equal((await tryWith(9n))?.why, 'total')
    assert.equal(await findRequest(database, requestId), undefined)
    assert.equal(await tryWith(10n), undefined)
    assert.deepEqual((await findRequest(database, requestId))?.grant, { id: grantId, counter })
  })

  test('places of one process and the next never meet, and few calls wait for theirs', async () => {
    const grantId = await newGrant({ maxTotal: 1n })
    const places = new Set<bigint | undefined>()
    for (const { takePlace } of [writer, groupWriter(database)]) {
      for (let call = 0; call < 200; call++) places.add(await takePlace(grantId))
    }
    assert.equal(places.size, 400)
    assert.ok(!places.has(undefined))
  })

  test('a call that there is room for is one statement, but for the first of a block', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const statements: string[] = []
    const counting = groupWriter({
      ...database,
      query(sql, parameters) {
        statements.push(sql)
        return database.query(sql, parameters)
      },
      transaction: () => assert.fail('a transaction takes several'),
    })
    for (let calls = 0; calls < 40; calls++) {
      const call = await reserveIn(counting, callOf(grantId, 2n))
      assert.ok(call.reserved)
    }
    assert.equal(statements.length, 41)
  })

  test('nothing is set aside for a key that was taken back', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    await reserved(callOf(grantId, 1n))
    await revokeApiKey(database, grantId, keccak256(grantId))
    // One that has the database for itself does not ask it for what it has heard.
    if (database.engine === 'postgres') {
      const [result] = await reserve(callOf(grantId, 1n))
      assert.equal(result?.reserved === false && result.why, 'revoked')
    }
    assert.equal((await grantUsage(database, grantId))?.reserved, 1n)
  })

  test('a database that was begun anew counts from what the chain has seen', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const [refused] = await reserve(callOf(grantId, 11n, 100n, 90n))
    assert.equal(refused?.reserved, false)
    await reserved(callOf(grantId, 10n, 100n, 90n))
  })

  test('receipts leave with their place under the grant, debits show them, wallets do not count them', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const before = (await openAmounts(database)).length
    const [call] = (await reserved(callOf(grantId, 20n))) as [Hex]
    assert.equal((await openAmounts(database)).length, before)
    await record(call, 7n)
    const entry = (await takeOutbox(database, 4096)).find(({ receipt }) => receipt.requestId === call)
    assert.deepEqual(entry?.grant, { id: grantId, counter: 1n })
    const [debit] = await grantDebits(database, grantId, 2n ** 62n, 10)
    assert.deepEqual([debit?.amount, debit?.state, debit?.settled], [7n, 'finished', false])
    assert.deepEqual(await grantDebits(database, grantId, 1n, 10), [])
  })

  test('a call whose receipt no batch may hold costs its grant nothing', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const [lost, paid] = await reserved(callOf(grantId, 20n), callOf(grantId, 30n))
    await record(lost as Hex, 20n)
    await record(paid as Hex, 30n)
    assert.equal((await grantUsage(database, grantId))?.spent, 50n)
    // Twice, as a retry would.
    for (let times = 0; times < 2; times++) {
      await database.transaction((transaction) => expireReceipts(transaction, [lost as Hex]))
    }
    assert.equal((await grantUsage(database, grantId))?.spent, 30n)
    const debits = await grantDebits(database, grantId, 2n ** 62n, 10)
    assert.deepEqual(
      debits.map(({ amount }) => amount),
      [30n, 0n],
    )
    await reserved(callOf(grantId, 70n))
  })

  test('what is recorded twice is spent once, and a place that is gone holds no receipt', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const [call, ended] = (await reserved(callOf(grantId, 20n), callOf(grantId, 30n))) as [Hex, Hex]
    const receipt = await grantReceipt(call, 20n)
    await database.query('select 1')
    for (let times = 0; times < 2; times++) await recordReceipts(database, [receipt])
    await writer.end(ended, 'failed')
    const usage = await grantUsage(database, grantId)
    assert.deepEqual([usage?.spent, usage?.reserved, usage?.calls], [20n, 0n, 2])
    await assert.rejects(record(placeIdOf(grantId, 1_000n), 1n), /is gone/)
    assert.equal((await grantUsage(database, grantId))?.spent, 20n)
  })

  test('a grant holds so many keys and no more, and one of them may be registered again', async () => {
    const grantId = await newGrant({ maxTotal: 1n })
    const grant = { grantId, payer: `0x${'01'.repeat(20)}`, terms: '{}', maxTotal: 1n, ratePerHour: 0n }
    const keyAt = (index: number) => keccak256(numberToHex(10_000 + index))
    for (let index = 1; index < MAX_API_KEYS; index++) {
      assert.equal(await addApiKey(database, grant, keyAt(index)), true)
    }
    assert.equal(await addApiKey(database, grant, keyAt(0)), false)
    assert.equal(await addApiKey(database, grant, keyAt(1)), true)
  })

  test('a key that was taken back stays so, whoever registers it again', async () => {
    const grantId = await newGrant({ maxTotal: 1n })
    const keyHash = keccak256(grantId)
    assert.deepEqual((await findApiKey(database, keyHash))?.revoked, false)
    assert.equal(await revokeApiKey(database, `0x${'ee'.repeat(32)}`, keyHash), false)
    assert.equal(await revokeApiKey(database, grantId, keyHash), true)
    const again = { grantId, payer: `0x${'01'.repeat(20)}`, terms: '{}', maxTotal: 1n, ratePerHour: 0n }
    await addApiKey(database, again, keyHash)
    assert.equal((await findApiKey(database, keyHash))?.revoked, true)
  })
})
