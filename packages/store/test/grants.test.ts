/** What is set aside and spent under a grant, against a model of it: never more than the deposit, the total and the hour. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { canonicalJson, receiptLeaf, receiptToJson, smaller } from '@assay/protocol'
import {
  addApiKey,
  type Database,
  endRequest,
  expireReceipts,
  findApiKey,
  grantDebits,
  grantUsage,
  interruptRequests,
  MAX_API_KEYS,
  type NewGrantCall,
  openAmounts,
  openDatabase,
  recordReceipts,
  reserveCalls,
  revokeApiKey,
  takeOutbox,
} from '@assay/store'
import fc from 'fast-check'
import { type Hex, keccak256, numberToHex } from 'viem'
import { onEachEngine } from '../../../test/postgres/engines.ts'
import { receiptAt } from './fixtures.ts'

let database: Database

let grants = 0

async function newGrant(terms: { maxTotal: bigint; ratePerHour?: bigint }): Promise<Hex> {
  const grantId = keccak256(numberToHex(++grants))
  const { maxTotal, ratePerHour = 0n } = terms
  await addApiKey(
    database,
    { grantId, payer: `0x${'01'.repeat(20)}`, terms: '{}', maxTotal, ratePerHour },
    keccak256(grantId),
  )
  return grantId
}

const idOf = (grantId: Hex, counter: bigint): Hex =>
  keccak256(`${grantId}${numberToHex(counter, { size: 8 }).slice(2)}`)

function callOf(grantId: Hex, maximum: bigint, funded = 10n ** 30n, spentOnChain = 0n): NewGrantCall {
  return {
    grantId,
    payer: `0x${'01'.repeat(20)}`,
    scheme: 3,
    maximum,
    funded,
    spentOnChain,
    expiresAt: 2n ** 63n,
    collect: '{}',
    modelId: `0x${'05'.repeat(32)}`,
    nodeUrl: 'http://127.0.0.1:1',
    requestHash: `0x${'00'.repeat(32)}`,
    instance: 'here',
    requestIdOf: (counter) => idOf(grantId, counter),
  }
}

let receipts = 0

async function record(requestId: Hex, price: bigint): Promise<void> {
  const { receipt, signature } = await receiptAt(1_000_000 + ++receipts, price)
  const signed = { receipt: { ...receipt, requestId }, signature }
  const item = {
    requestId,
    receipt: canonicalJson(receiptToJson(signed.receipt)),
    signature,
    leaf: receiptLeaf(signed),
    price,
    collectAmount: price,
    prepaid: true,
  }
  // Twice, as a retry would.
  await recordReceipts(database, [item])
  await recordReceipts(database, [item])
}

onEachEngine('store-grants', (newPlace) => {
  before(async () => {
    database = await openDatabase(await newPlace())
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
            for (const [at, result] of (await reserveCalls(database, calls)).entries()) {
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
            if (kind === 'fail') await endRequest(database, requestId, 'failed')
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

  test('one group of calls shares what is left, and each refusal says why', async () => {
    const grantId = await newGrant({ maxTotal: 100n, ratePerHour: 90n })
    const results = await reserveCalls(
      database,
      [60n, 101n, 95n, 35n, 30n].map((amount) => callOf(grantId, amount)),
    )
    assert.deepEqual(
      results.map((result) => (result.reserved ? result.counter : result.why)),
      [1n, 'total', 'rate', 'rate_busy', 2n],
    )
    const [unknown] = await reserveCalls(database, [callOf(`0x${'ee'.repeat(32)}`, 1n)])
    assert.equal(unknown?.reserved === false && unknown.why, 'unknown')
  })

  test('a database that was begun anew counts from what the chain has seen', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const [refused] = await reserveCalls(database, [callOf(grantId, 11n, 100n, 90n)])
    assert.equal(refused?.reserved, false)
    const [taken] = await reserveCalls(database, [callOf(grantId, 10n, 100n, 90n)])
    assert.equal(taken?.reserved, true)
  })

  test('receipts leave with their place under the grant, debits show them, wallets do not count them', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const before = (await openAmounts(database)).length
    const [call] = await reserveCalls(database, [callOf(grantId, 20n)])
    assert.ok(call?.reserved)
    assert.equal((await openAmounts(database)).length, before)
    await record(call.requestId, 7n)
    const entry = (await takeOutbox(database, 4096)).find(
      ({ receipt }) => receipt.requestId === call.requestId,
    )
    assert.deepEqual(entry?.grant, { id: grantId, counter: 1n })
    const [debit] = await grantDebits(database, grantId, 2n ** 62n, 10)
    assert.deepEqual([debit?.amount, debit?.state, debit?.settled], [7n, 'finished', false])
    assert.deepEqual(await grantDebits(database, grantId, 1n, 10), [])
  })

  test('a call whose receipt no batch may hold costs its grant nothing', async () => {
    const grantId = await newGrant({ maxTotal: 100n })
    const calls = await reserveCalls(database, [callOf(grantId, 20n), callOf(grantId, 30n)])
    const [lost, paid] = calls.map((call) => (call.reserved ? call.requestId : assert.fail(call.why)))
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
    const [again] = await reserveCalls(database, [callOf(grantId, 70n)])
    assert.equal(again?.reserved, true)
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
