/**
 * A node begins while what a grant is to pay for its request is on the way to PostgreSQL. But for the opening of a stream
 * nothing of its answer goes out before that is there. Where the grant has too little left, the node worked for nothing, and
 * no other request is touched.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { decodeGrantHeader, GRANT_HEADER, RECEIPT_COMMENT } from '@assay/protocol'
import type { Hex } from 'viem'
import { postgresMissing } from '../../../test/postgres/startPostgres.ts'
import { until } from '../../../test/until.ts'
import { errorOf } from './answers.ts'
import { type CutWire, idOf, STREAM, startCutWire, WHOLE } from './cutWire.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import { grantOn, register } from './grantOn.ts'
import type { StubNode } from './stubNode.ts'

/** What a node signs for by default, OPG base units. */
const PRICE = 5n

describe('two gateways on one PostgreSQL, of which one has a wire that can be cut', {
  skip: postgresMissing(),
}, () => {
  let world: CutWire
  let { chain, server, wire, nodes, steady, wired, stateOf, sendOverCut, waitsForWrite } = {} as CutWire

  before(async () => {
    world = await startCutWire()
    ;({ chain, server, wire, nodes, steady, wired, stateOf, sendOverCut, waitsForWrite } = world)
  })
  after(() => world?.close())
  beforeEach(() => world.refresh())
  afterEach(() => {
    wire.heal('resume')
  })

  /** Most that `body` may cost, OPG base units. */
  async function quoteOf(body: string): Promise<bigint> {
    const unpaid = await steady.post(body)
    const { accepts } = JSON.parse(atob(unpaid.headers.get('PAYMENT-REQUIRED') ?? '')) as {
      accepts: { amount: string }[]
    }
    return BigInt(accepts[0]?.amount ?? 0)
  }
  /**
   * A key by which the wired gateway has set a call aside.
   * @param left of the deposit
   */
  async function usedKey(left = 10n ** 6n) {
    const { key, ...granted } = await grantOn(
      wired,
      { maxTotal: 10n ** 9n, maxPerCall: 10n ** 9n },
      left + PRICE,
    )
    const bearer = { authorization: `Bearer ${key}` }
    assert.equal((await wired.post(BODY, bearer)).status, 200)
    return { ...granted, key, bearer }
  }
  async function usageOf(id: Hex): Promise<{ spent: string; reserved: string }> {
    const answer = await fetch(`${steady.gateway.url}/v1/grants/${id}`)
    const { spent, reserved } = (await answer.json()) as { spent: string; reserved: string }
    return { spent, reserved }
  }
  /** Request id of what a node was asked last. */
  const lastPlace = (node: StubNode) => {
    const headers = node.requests.at(-1)?.rawHeaders ?? []
    return decodeGrantHeader(headers[headers.indexOf(GRANT_HEADER) + 1] ?? '')
  }

  test('a whole answer under a key waits for what is set aside, and its node does not', async () => {
    const { id, bearer } = await usedKey()
    const heard = await waitsForWrite(BODY, bearer)
    assert.equal(heard.status, 200)
    assert.equal(await stateOf(idOf(heard)), 'finished')
    assert.deepEqual(await usageOf(id), { spent: '10', reserved: '0' })
  })

  test('the opening of a stream under a key does not wait, and its end does', async () => {
    nodes[1].script = WHOLE
    const { bearer } = await usedKey()
    nodes[1].script = STREAM
    const { answer } = await sendOverCut(STREAM_BODY, bearer)
    const heard = await answer
    const reader = (heard.body as ReadableStream<Uint8Array>).getReader()
    const text = new TextDecoder().decode((await reader.read()).value)
    assert.match(text, /^data: 1\n\n/)
    wire.heal('resume')
    let rest = text
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      rest += new TextDecoder().decode(part.value)
    }
    assert.ok(rest.endsWith('data: [DONE]\n\n'))
    assert.equal(await stateOf(idOf(heard)), 'finished')
  })

  test('a deposit that a call at another gateway has: the node is stopped, and the next call waits for its own', async () => {
    const { id, bearer } = await usedKey((await quoteOf(BODY)) + PRICE)
    const { promise: pause, resolve: goOn } = Promise.withResolvers<void>()
    nodes[0].script = { ...STREAM, pause }
    nodes[1].script = { ...WHOLE, work: new Promise(() => {}) }
    const first = await steady.post(BODY, bearer)
    const { answer } = await sendOverCut(BODY, bearer)
    const { requestId } = lastPlace(nodes[1]).auth.auth
    wire.heal('resume')
    const refused = await answer
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1'])
    assert.equal((await errorOf(refused)).code, 'grant_busy')
    assert.equal(await stateOf(requestId), undefined)
    assert.ok(!wired.logs.some((line) => line.startsWith('circuit_opened ')))
    const asked = nodes[1].requests.length
    const named = { ...bearer, 'idempotency-key': `busy-${requestId}` }
    for (let call = 0; call < 3; call++) {
      assert.equal((await errorOf(await wired.post(BODY, named))).code, 'grant_busy')
    }
    assert.equal(nodes[1].requests.length, asked)
    goOn()
    await first.text()
    nodes[1].script = WHOLE
    // Its name is free again as well.
    assert.equal((await wired.post(BODY, named)).status, 200)
    assert.deepEqual(await usageOf(id), { spent: '15', reserved: '0' })
    assert.notEqual(lastPlace(nodes[1]).auth.auth.requestId, requestId)
  })

  test('an opening under a key whose deposit another call has ends with the reason, and costs nothing', async () => {
    const { id, bearer } = await usedKey((await quoteOf(STREAM_BODY)) + PRICE)
    const { promise: pause, resolve: goOn } = Promise.withResolvers<void>()
    nodes[0].script = { ...STREAM, pause }
    nodes[1].script = STREAM
    const first = await steady.post(STREAM_BODY, bearer)
    const { answer } = await sendOverCut(STREAM_BODY, bearer)
    const heard = await answer
    wire.heal('resume')
    const text = await heard.text()
    assert.ok(text.startsWith('data: 1\n\n') && /grant_busy/.test(text))
    assert.ok(!text.includes('[DONE]') && !text.includes(RECEIPT_COMMENT))
    assert.equal(await stateOf(idOf(heard)), undefined)
    goOn()
    await first.text()
    assert.deepEqual(await usageOf(id), { spent: '10', reserved: '0' })
  })

  test('a key that another gateway takes back while the node begins pays for nothing', async () => {
    const { id, key, grant, bearer } = await usedKey()
    assert.equal((await register(steady, grant, key, { allowed: false })).status, 200)
    const { answer } = await sendOverCut(BODY, bearer)
    wire.heal('resume')
    const refused = await answer
    assert.deepEqual([refused.status, (await errorOf(refused)).code], [401, 'api_key_revoked'])
    const asked = nodes[1].requests.length
    assert.equal((await wired.post(BODY, bearer)).status, 401)
    assert.equal(nodes[1].requests.length, asked)
    assert.deepEqual(await usageOf(id), { spent: '5', reserved: '0' })
  })

  test('what was paid in since is seen while the node works, and the call keeps its place', async () => {
    const { id, bearer } = await usedKey((await quoteOf(BODY)) - 1n)
    const account = chain.state.accounts.get(id) ?? assert.fail('it was opened above')
    // Another object: the gateway remembers the one that it was given.
    chain.state.accounts.set(id, { ...account, funded: account.funded + 1n })
    const asked = nodes[1].requests.length
    const { answer } = await sendOverCut(BODY, bearer)
    wire.heal('resume')
    const heard = await answer
    assert.equal(heard.status, 200)
    assert.equal(nodes[1].requests.length, asked + 1)
    assert.equal(lastPlace(nodes[1]).auth.auth.requestId, idOf(heard))
    const status = await fetch(`${steady.gateway.url}/v1/receipts/${idOf(heard)}`)
    const { grant } = (await status.json()) as { grant: { id: Hex; counter: string } }
    assert.deepEqual(grant, { id, counter: `${lastPlace(nodes[1]).counter}` })
    assert.deepEqual(await usageOf(id), { spent: '10', reserved: '0' })
  })

  test('a client that leaves before its call under a key is set aside pays what its node signs, and nothing where it is refused', async () => {
    for (const [left, spent] of [
      [10n ** 6n, '10'],
      [(await quoteOf(STREAM_BODY)) - 1n, '5'],
    ] as const) {
      nodes[1].script = WHOLE
      const { id, bearer } = await usedKey(left)
      nodes[1].script = STREAM
      const leaving = new AbortController()
      const { answer } = await sendOverCut(STREAM_BODY, bearer, { signal: leaving.signal })
      const { requestId } = lastPlace(nodes[1]).auth.auth
      leaving.abort()
      await answer.then(
        (heard) => assert.rejects(heard.text()),
        () => {},
      )
      wire.heal('resume')
      const event = spent === '5' ? 'refused ' : 'client_gone '
      await until(() => wired.logs.some((line) => line.startsWith(event) && line.includes(requestId)))
      const ended = spent === '5' ? undefined : 'finished'
      await until(async () => (await stateOf(requestId)) === ended)
      assert.deepEqual(await usageOf(id), { spent, reserved: '0' })
    }
  })

  test('an outage reaches a node once under a key as well, and costs nothing', async () => {
    const { id, bearer } = await usedKey()
    const asked = nodes[1].requests.length
    await server.stop('crash')
    for (let call = 0; call < 4; call++) {
      const refused = await wired.post(BODY, bearer)
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
      assert.equal((await errorOf(refused)).code, 'store_unavailable')
    }
    assert.ok(nodes[1].requests.length <= asked + 1)
    await server.start()
    await until(async () => (await wired.post(BODY, bearer)).status === 200)
    assert.deepEqual(await usageOf(id), { spent: '10', reserved: '0' })
  })
})
