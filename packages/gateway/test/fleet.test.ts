/** Three gateways of one operator on one PostgreSQL server, in front of one chain and one node. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { AssayError, apiKeyOf } from '@assay/protocol'
import { findRequest, openDatabase, receiptStatus } from '@assay/store'
import { generatePaymentId } from '@x402/extensions/payment-identifier'
import { type Hex, HttpRequestError } from 'viem'
import { type PostgresServer, postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { until } from '../../../test/until.ts'
import { errorOf } from './answers.ts'
import { createFakeChain, type FakeChain } from './fakeChain.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import { grantOn, register } from './grantOn.ts'
import { type Harness, startHarness } from './harness.ts'
import { type StubNode, startStubNode } from './stubNode.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** Most that `BODY` may cost, OPG base units. */
async function quoteOf(gateway: Harness): Promise<bigint> {
  const unpaid = await gateway.post(BODY)
  const { accepts } = JSON.parse(atob(unpaid.headers.get('PAYMENT-REQUIRED') ?? '')) as {
    accepts: { amount: string }[]
  }
  return BigInt(accepts[0]?.amount ?? '0')
}

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
      })
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
    chain.balances.set(payer.address.toLowerCase(), await quoteOf(gateways[0]))
    const answers = await Promise.all(gateways.map((gateway, at) => gateway.post(BODY, headers[at])))
    const statuses = answers.map(({ status }) => status)
    assert.ok(statuses.filter((status) => status === 200).length <= 1, statuses.join())
    assert.ok(
      statuses.every((status) => status === 200 || status === 402),
      statuses.join(),
    )
  })

  test('what another gateway collected is not held against its payer any more', async () => {
    node.script = { kind: 'whole', body: bytes('{}'), price: 5n }
    // It never gets to collect anything, so whatever it answers is collected by the others.
    const collect: FakeChain['collect'] = async () => {
      throw new AssayError('The chain does not answer.', { code: 'unreachable' })
    }
    const one = await startHarness({ databaseUrl, chain: { ...chain, collect }, node })
    try {
      const payer = one.payer('exact', await quoteOf(one))
      const ask = async () => one.post(BODY, await one.payFor(BODY, payer))
      const answer = await ask()
      assert.equal(answer.status, 200)
      const requestId = answer.headers.get('x-assay-request-id') ?? ''
      await until(() => chain.state.payments.has(requestId as Hex))
      // He has paid more in meanwhile: his balance reaches for another call, once the first counts no more.
      await until(async () => (await ask()).status === 200)
    } finally {
      await one.close()
    }
  })

  test('a named request that was answered by one gateway is answered again by the others, in the same bytes, and paid once', async () => {
    node.script = { kind: 'whole', body: bytes('{"n":1}') }
    const payer = gateways[0].payer()
    const name = generatePaymentId()
    const headers = await gateways[0].payFor(BODY, payer, name)
    const first = await gateways[0].post(BODY, headers)
    const said = await first.text()
    assert.equal(first.status, 200, said)
    const asked = node.requests.length
    const [, second, third] = gateways
    for (const [gateway, again] of [
      [second, headers],
      [third, await third.payFor(BODY, payer, name)],
    ] as const) {
      const replayed = await gateway.post(BODY, again)
      assert.equal(await replayed.text(), said)
      assert.equal(replayed.headers.get('x-assay-replayed'), 'true')
      assert.equal(replayed.headers.get('x-assay-receipt'), first.headers.get('x-assay-receipt'))
    }
    assert.equal(node.requests.length, asked)
    const other = `${BODY} `
    const refused = await second.post(other, await second.payFor(other, payer, name))
    assert.equal(refused.status, 409)
    assert.equal(refused.headers.get('x-should-retry'), 'false')
    assert.equal((await errorOf(refused)).code, 'idempotency_key_reused')
  })

  test('a named request that one gateway is answering waits its turn at another', async () => {
    let open = (): void => {}
    const pause = new Promise<void>((resolve) => {
      open = resolve
    })
    node.script = { kind: 'stream', chunks: [bytes('data: {"a":1}\n\n')], pause }
    const [first, second] = gateways
    const payer = first.payer()
    const name = generatePaymentId()
    const running = await first.post(STREAM_BODY, await first.payFor(STREAM_BODY, payer, name))
    const early = await second.post(STREAM_BODY, await second.payFor(STREAM_BODY, payer, name))
    assert.equal(early.status, 409)
    assert.equal(early.headers.get('x-should-retry'), 'true')
    assert.equal((await errorOf(early)).code, 'request_in_progress')
    open()
    const said = await running.text()
    const late = await second.post(STREAM_BODY, await second.payFor(STREAM_BODY, payer, name))
    assert.equal(await late.text(), said)
  })

  /** A stream that waits in its middle at the first gateway, which the others take for dead meanwhile. */
  async function takenForDead(name: string | undefined) {
    const { promise: pause, resolve: wake } = Promise.withResolvers<void>()
    node.script = { kind: 'stream', chunks: [bytes('data: {"a":1}\n\n')], pause }
    const payer = gateways[0].payer()
    const running = await gateways[0].post(STREAM_BODY, await gateways[0].payFor(STREAM_BODY, payer, name))
    const requestId = running.headers.get('x-assay-request-id') as Hex
    node.script = { kind: 'stream', chunks: [bytes('data: {"b":2}\n\n')] }
    const database = await openDatabase({ directory: '', databaseUrl })
    await database.query(`update requests set state = 'failed' where request_id = $1`, [requestId])
    const stateOf = async () => (await findRequest(database, requestId))?.state
    return { payer, running, wake, stateOf, close: () => database.close() }
  }

  test('what a gateway still delivers that was taken for dead is recorded', async () => {
    const { running, wake, stateOf, close } = await takenForDead(undefined)
    wake()
    assert.match(await running.text(), /"a":1[\s\S]*data: \[DONE\]\n\n$/)
    assert.equal(await stateOf(), 'finished')
    await close()
  })

  test('a named request that another gateway has answered since is not paid a second time', async () => {
    const name = generatePaymentId()
    const { payer, running, wake, stateOf, close } = await takenForDead(name)
    const [, second, third] = gateways
    const answered = await second.post(STREAM_BODY, await second.payFor(STREAM_BODY, payer, name))
    const said = await answered.text()
    assert.match(said, /"b":2[\s\S]*data: \[DONE\]\n\n$/)
    wake()
    const broken = await running.text()
    assert.ok(broken.includes('receipt_not_durable') && !broken.includes('[DONE]'), broken)
    assert.equal(await stateOf(), 'failed')
    const replayed = await third.post(STREAM_BODY, await third.payFor(STREAM_BODY, payer, name))
    assert.equal(await replayed.text(), said)
    await close()
  })

  test('what one payer may call holds over all gateways together', async () => {
    node.script = { kind: 'whole', body: bytes('{}'), price: 5n }
    const quote = await quoteOf(gateways[0])
    // Two calls fit, and a gateway that counted its own alone would let a third pass.
    for (const limits of [{ requestsPerMinute: 2 }, { spendPerHour: quote + 9n }]) {
      const start = () => startHarness({ databaseUrl, chain, node, limits })
      const [one, other] = [await start(), await start()]
      try {
        const payer = one.payer()
        const ask = async (gateway: Harness) => gateway.post(BODY, await gateway.payFor(BODY, payer))
        for (const gateway of [one, other]) assert.equal((await ask(gateway)).status, 200)
        const refused = await ask(one)
        assert.equal(refused.status, 429)
        assert.ok(Number(refused.headers.get('retry-after')) > 0)
        assert.equal((await errorOf(refused)).code, 'allowance_spent')
        assert.equal((await one.post(BODY, await one.payFor(BODY, one.payer()))).status, 200, 'another payer')
      } finally {
        await one.close()
        await other.close()
      }
    }
  })

  test('what one key may call holds over all gateways together: by the minute, the hour, the deposit', async () => {
    node.script = { kind: 'whole', body: bytes('{}'), price: 5n }
    const [one, other] = [gateways[0], gateways[1]]
    const quote = await quoteOf(one)
    const ask = (gateway: Harness, key: string) => gateway.post(BODY, { authorization: `Bearer ${key}` })

    // First, since all keys of a payer count together.
    const limited = () => startHarness({ databaseUrl, chain, node, limits: { requestsPerMinute: 2 } })
    const pair = [await limited(), await limited()] as const
    try {
      const often = await grantOn(pair[0], { maxPerCall: quote }, 2n * quote)
      for (const gateway of pair) assert.equal((await ask(gateway, often.key)).status, 200)
      for (const gateway of pair) {
        const refused = await ask(gateway, often.key)
        assert.deepEqual([refused.status, (await errorOf(refused)).code], [429, 'allowance_spent'])
      }
    } finally {
      for (const gateway of pair) await gateway.close()
    }

    // The hour counts prices of what was answered: a third call may cost more than is left of it.
    const hourly = await grantOn(
      one,
      { maxTotal: 10n ** 18n, maxPerCall: quote, ratePerHour: quote + 9n },
      10n ** 18n,
    )
    for (const gateway of [one, other]) assert.equal((await ask(gateway, hourly.key)).status, 200)
    for (const gateway of gateways) {
      const refused = await ask(gateway, hourly.key)
      assert.equal(refused.status, 429)
      assert.ok(Number(refused.headers.get('retry-after')) > 0)
      assert.equal((await errorOf(refused)).code, 'grant_rate_limited')
    }

    // A deposit for three calls, and nine at once over three gateways.
    node.script = { kind: 'whole', body: bytes('{}'), price: quote }
    const funded = 3n * quote
    const { key, id } = await grantOn(one, { maxTotal: funded, maxPerCall: quote }, funded)
    const calls = Array.from({ length: 9 }, (_, at) => ask(gateways[at % 3] as Harness, key))
    const answers = await Promise.all(calls)
    assert.equal(answers.filter(({ status }) => status === 200).length, 3)
    for (const refused of answers.filter(({ status }) => status !== 200)) {
      assert.match((await errorOf(refused)).code, /^grant_(busy|exhausted)$/)
    }
    const account = (await (await fetch(`${other.gateway.url}/v1/grants/${id}`)).json()) as { spent: string }
    assert.equal(BigInt(account.spent), funded)
  })

  test('a key that one gateway took back pays for nothing at the others, who have just served it and ask a node once', async () => {
    node.script = { kind: 'whole', body: bytes('{}'), price: 5n }
    const [here, ...others] = gateways
    const { grant, key, id } = await grantOn(here)
    const headers = { authorization: `Bearer ${key}` }
    for (const gateway of gateways) assert.equal((await gateway.post(BODY, headers)).status, 200)
    const served = node.requests.length
    assert.equal((await register(here, grant, key, { allowed: false })).status, 200)
    for (const gateway of [...others, ...others]) {
      const refused = await gateway.post(BODY, headers)
      assert.deepEqual([refused.status, (await errorOf(refused)).code], [401, 'api_key_revoked'])
    }
    assert.ok(node.requests.length <= served + others.length)
    const account = (await (await fetch(`${here.gateway.url}/v1/grants/${id}`)).json()) as { spent: string }
    assert.equal(account.spent, '15')
  })

  test('while the database is away requests get 503 and may be sent again, and then they are served', async () => {
    node.script = { kind: 'whole', body: bytes('{}') }
    const [, gateway] = gateways
    const first = await gateway.payFor(BODY)
    const payments = [
      await gateway.payFor(BODY),
      await gateway.payFor(BODY, gateway.payer(), generatePaymentId()),
    ]
    const key = { authorization: `Bearer ${apiKeyOf(new Uint8Array(32))}` }
    await server.stop('crash')
    // Its node may have begun before anybody knew.
    assert.equal((await errorOf(await gateway.post(BODY, first))).code, 'store_unavailable')
    for (const headers of [...payments, key]) {
      const refused = await gateway.post(BODY, headers)
      assert.equal(refused.status, 503)
      assert.equal(refused.headers.get('retry-after'), '1')
      assert.equal((await errorOf(refused)).code, 'store_unavailable')
    }
    await server.start()
    for (const headers of payments) {
      const served = await until(async () => {
        const answer = await gateway.post(BODY, headers)
        return answer.status === 200 ? answer : undefined
      })
      assert.ok(served.headers.has('x-assay-receipt'))
    }
  })

  test('a database that goes away behind the name of a request leaves the name free', async () => {
    node.script = { kind: 'whole', body: bytes('{}') }
    const [gateway] = gateways
    const [payer, name] = [gateway.payer(), generatePaymentId()]
    const headers = await gateway.payFor(BODY, payer, name)
    // Between the name and the claim the gateway reads the payer's funds.
    const { funds } = chain
    chain.funds = async (payer) => {
      await server.stop('crash')
      return funds(payer)
    }
    const refused = await gateway.post(BODY, headers).finally(() => {
      chain.funds = funds
    })
    assert.equal((await errorOf(refused)).code, 'store_unavailable')
    await server.start()
    // The node has begun, so it is another payment that the name is asked with.
    const again = await gateway.payFor(BODY, payer, name)
    await until(async () => (await gateway.post(BODY, again)).status === 200)
  })

  test('while the chain is away requests get 503, no node is blamed, and then they are served', async () => {
    node.script = { kind: 'whole', body: bytes('{}') }
    const [, , gateway] = gateways
    const payer = gateway.payer()
    const headers = await gateway.payFor(BODY, payer)
    const away = () => Promise.reject(new HttpRequestError({ url: 'http://127.0.0.1:1' }))
    const { funds, nonceUnused } = chain
    try {
      chain.funds = away
      const refused = await gateway.post(BODY, headers)
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
      assert.equal((await errorOf(refused)).code, 'chain_unavailable')
      chain.funds = funds
      chain.nonceUnused = away
      // Behind the claim: the node has worked, so this payment is not taken a second time.
      for (let call = 0; call < 8; call++) {
        const withheld = await gateway.post(BODY, await gateway.payFor(BODY))
        assert.deepEqual([withheld.status, withheld.headers.get('retry-after')], [503, null])
        assert.equal((await errorOf(withheld)).code, 'chain_unavailable')
      }
    } finally {
      Object.assign(chain, { funds, nonceUnused })
    }
    assert.equal((await gateway.post(BODY, headers)).status, 200)
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
