/** Two gateways write the same rows of one PostgreSQL server, in opposite orders: neither may have to be ended for it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  claimRequests,
  type Database,
  findRequest,
  grantUsage,
  groupWriter,
  interruptRequests,
  openDatabase,
  type RequestWriter,
  recordReceipts,
  seeGateway,
} from '@assay/store'
import { type Hex, keccak256, numberToHex } from 'viem'
import { type PostgresServer, postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { until } from '../../../test/until.ts'
import { newReceiptAt, requestAt, requestIdAt } from './fixtures.ts'
import { addGrant, callOf, grantReceipt, reserveIn } from './grantCalls.ts'

const ROUNDS = 12
const GROUP = 100
const indices = (round: number) => Array.from({ length: GROUP }, (_, at) => round * GROUP + at)

describe('two gateways that write the same requests', { skip: postgresMissing() }, () => {
  let server: PostgresServer
  let first: Database
  let second: Database
  before(async () => {
    server = await startPostgres()
    const databaseUrl = await server.createDatabase()
    first = await openDatabase({ directory: '', databaseUrl })
    second = await openDatabase({ directory: '', databaseUrl })
  })
  after(async () => {
    await first?.close()
    await second?.close()
    await server?.close()
  })

  test('claims of the same payments, in groups of opposite orders: each payment has one of them', async () => {
    const items = indices(0).map(requestAt)
    const middle = items.slice(GROUP / 2, GROUP / 2 + 1)
    const waiting =
      'select pid from pg_stat_activity where wait_event_type = $1 and datname = current_database()'
    let groups: Promise<boolean[]>[] = []
    // Both come as far as the payment that a third one holds, and go on when that one gives it up.
    const third = first.transaction(async (transaction) => {
      await claimRequests(transaction, middle)
      groups = [claimRequests(first, items), claimRequests(second, [...items].reverse())]
      await until(async () => (await second.query(waiting, ['Lock'])).length === 2)
      throw new Error('given up')
    })
    await assert.rejects(third, /given up/)
    const [one = [], other = []] = await Promise.all(groups)
    for (const [at, claimed] of one.entries()) assert.notEqual(claimed, other[GROUP - 1 - at])
  })

  test('a gateway that was paused records its receipts while another ends its requests: the receipts win', async () => {
    await seeGateway(second, 'second')
    for (let round = 1; round <= ROUNDS; round++) {
      const at = indices(round)
      for (const index of at) await claimRequests(first, [{ ...requestAt(index), instance: 'paused' }])
      const receipts = await Promise.all([...at].reverse().map((index) => newReceiptAt(index)))
      const [recorded] = await Promise.all([
        recordReceipts(first, receipts),
        interruptRequests(second, 'second', 1),
      ])
      assert.ok(recorded.every(Boolean))
      for (const index of at) assert.equal((await findRequest(first, requestIdAt(index)))?.state, 'finished')
    }
  })

  test('calls under the same grants are set aside and recorded, and no grant ever holds more than it has', async () => {
    const [total, price, maximum] = [400n, 2n, 20n]
    const grants = [1, 2, 3].map((index) => keccak256(numberToHex(index)))
    for (const grantId of grants) await addGrant(first, grantId, { maxTotal: total, ratePerHour: total })
    const writers = [groupWriter(first), groupWriter(second)]
    const looks: bigint[] = []
    let over = false
    async function look(): Promise<void> {
      while (!over) {
        for (const grantId of grants) {
          const { spent, reserved } = (await grantUsage(first, grantId)) ?? assert.fail('no such grant')
          looks.push(spent + reserved)
        }
      }
    }
    /** Buys until no grant has room for one more call, however often others are just in the way. */
    async function buy(buyer: number): Promise<void> {
      const writer = writers[buyer % writers.length] as RequestWriter
      const open = new Set(grants)
      for (let call = 0; open.size > 0; call++) {
        const grantId = grants[(buyer + call) % grants.length] as Hex
        if (!open.has(grantId)) continue
        const place = await reserveIn(writer, callOf(grantId, maximum))
        if (!place.reserved) {
          if (place.why === 'total') open.delete(grantId)
          else assert.equal(place.why, 'busy')
        } else if (call % 8 === 0) await writer.end(place.requestId, 'failed')
        else await writer.record(await grantReceipt(place.requestId, price))
      }
    }
    const looking = look()
    try {
      await Promise.all(Array.from({ length: 40 }, (_, buyer) => buy(buyer)))
    } finally {
      over = true
    }
    await looking
    assert.deepEqual(
      looks.filter((held) => held > total),
      [],
    )
    for (const grantId of grants) {
      const usage = await grantUsage(first, grantId)
      assert.equal(usage?.reserved, 0n)
      // Prices are even: what is left is the most that is too little for a call.
      assert.equal(usage?.spent, total - maximum + price)
    }
  })
})
