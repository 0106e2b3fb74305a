/** Three gateways of one operator on one PostgreSQL server, in front of one chain and one node. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openDatabase, receiptStatus } from '@assay/store'
import { type PostgresServer, postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { errorOf } from './answers.ts'
import { createFakeChain } from './fakeChain.ts'
import { BODY, STREAM_BODY, until } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import { type StubNode, startStubNode } from './stubNode.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('three gateways on one PostgreSQL', { skip: postgresMissing() }, () => {
  let server: PostgresServer
  let node: StubNode
  let databaseUrl: string
  let gateways: [Harness, Harness, Harness]
  const chain = createFakeChain()

  before(async () => {
    server = await startPostgres()
    node = await startStubNode()
    databaseUrl = await server.createDatabase()
    const start = () => startHarness({ databaseUrl, chain, node, batch: { maxReceipts: 4, maxDelayMs: 50 } })
    // At once, so that their migrations meet.
    gateways = (await Promise.all([start(), start(), start()])) as [Harness, Harness, Harness]
  })
  after(async () => {
    for (const gateway of gateways ?? []) await gateway.close()
    await node?.close()
    await server?.close()
  })

  test('one payment that is sent to all of them at once buys one answer', async () => {
    node.script = { kind: 'whole', body: bytes('{}') }
    for (let round = 0; round < 5; round++) {
      const headers = await gateways[0].payFor(BODY)
      const answers = await Promise.all(gateways.map((gateway) => gateway.post(BODY, headers)))
      const statuses = answers.map(({ status }) => status).sort()
      assert.deepEqual(statuses, [200, 409, 409])
      const refused = answers.find(({ status }) => status === 409) as Response
      assert.equal((await errorOf(refused)).code, 'payment_used')
    }
  })

  test('what all of them record is batched once each, under heights that rise', async () => {
    node.script = { kind: 'whole', body: bytes('{}'), price: 5n }
    const calls = Array.from({ length: 45 }, async (_, at) => {
      const gateway = gateways[at % 3] as Harness
      const answer = await gateway.post(BODY, await gateway.payFor(BODY, gateway.payer()))
      assert.equal(answer.status, 200)
      return answer.headers.get('x-assay-request-id') as string
    })
    const ids = await Promise.all(calls)
    const database = await openDatabase({ directory: '', databaseUrl })
    try {
      await until(async () => {
        const all = await Promise.all(ids.map((id) => receiptStatus(database, id)))
        return all.every((status) => status?.batchState === 'final' && status.payment?.state === 'settled')
      }, 60_000)
      const heights = await database.query<{ height: string }>('select height::text as height from batches')
      assert.equal(new Set(heights.map(({ height }) => height)).size, heights.length)
      // Nothing was frozen twice and given up: the chain took every batch.
      const given = await database.query(`select 1 from batches where state in ('void', 'expired')`)
      assert.deepEqual(given, [])
      assert.equal(new Set(chain.state.collected).size, chain.state.collected.length)
    } finally {
      await database.close()
    }
  })

  test('a balance that covers one call pays for one, wherever the calls arrive', async () => {
    node.script = { kind: 'whole', body: bytes('{}'), price: 5n }
    const payer = gateways[0].payer('exact')
    const headers = await Promise.all(gateways.map((gateway) => gateway.payFor(BODY, payer)))
    const unpaid = await gateways[0].post(BODY)
    const offers = JSON.parse(atob(unpaid.headers.get('PAYMENT-REQUIRED') ?? '')) as {
      accepts: { amount: string }[]
    }
    chain.balances.set(payer.address.toLowerCase(), BigInt(offers.accepts[0]?.amount ?? '0'))
    const answers = await Promise.all(gateways.map((gateway, at) => gateway.post(BODY, headers[at])))
    const statuses = answers.map(({ status }) => status)
    assert.ok(statuses.filter((status) => status === 200).length <= 1, statuses.join())
    assert.ok(
      statuses.every((status) => status === 200 || status === 402),
      statuses.join(),
    )
  })

  test('while the database is away requests get 503 and may be sent again, and then they are served', async () => {
    node.script = { kind: 'whole', body: bytes('{}') }
    const headers = await gateways[1].payFor(BODY)
    await server.stop('crash')
    const refused = await gateways[1].post(BODY, headers)
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal((await errorOf(refused)).code, 'store_unavailable')
    await server.start()
    const served = await until(async () => {
      const answer = await gateways[1].post(BODY, headers)
      return answer.status === 200 ? answer : undefined
    })
    assert.ok(served.headers.has('x-assay-receipt'))
  })

  test('an answer whose receipt meets a database that is away waits for it, and is delivered', async () => {
    let open = (): void => {}
    const pause = new Promise<void>((resolve) => {
      open = resolve
    })
    node.script = { kind: 'stream', chunks: [bytes('data: {"a":1}\n\n'), bytes('data: {"b":2}\n\n')], pause }
    const answer = await gateways[2].post(STREAM_BODY, await gateways[2].payFor(STREAM_BODY))
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
    let text = new TextDecoder().decode((await reader.read()).value)
    await server.stop('fast')
    open()
    await until(() => gateways[2].node.receipts.has(answer.headers.get('x-assay-request-id') ?? ''))
    await server.start()
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += new TextDecoder().decode(part.value)
    }
    assert.ok(text.endsWith('data: [DONE]\n\n'), text)
  })

  test('a gateway that drains ends what is under way, takes nothing new, and says so at /health', async () => {
    let open = (): void => {}
    const pause = new Promise<void>((resolve) => {
      open = resolve
    })
    node.script = { kind: 'stream', chunks: [bytes('data: {"a":1}\n\n'), bytes('data: {"b":2}\n\n')], pause }
    const leaving = await startHarness({ databaseUrl, chain, node })
    const answer = await leaving.post(STREAM_BODY, await leaving.payFor(STREAM_BODY))
    const closed = leaving.close()
    const health = await fetch(`${leaving.gateway.url}/health`)
    assert.equal(health.status, 503)
    assert.equal(((await health.json()) as { status: string }).status, 'draining')
    const refused = await leaving.post(BODY)
    assert.equal(refused.status, 503)
    assert.equal((await errorOf(refused)).code, 'draining')
    open()
    assert.ok((await answer.text()).endsWith('data: [DONE]\n\n'))
    await closed
    await assert.rejects(fetch(`${leaving.gateway.url}/health`))
  })
})
