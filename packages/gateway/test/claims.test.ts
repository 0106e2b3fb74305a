/**
 * A node begins while the claim of its request is on the way to PostgreSQL. But for the opening of a stream nothing of its
 * answer goes out before that is there. Where another gateway has the payment, the node worked for nothing, and no other
 * request is touched.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { RECEIPT_COMMENT } from '@assay/protocol'
import { postgresMissing } from '../../../test/postgres/startPostgres.ts'
import { until } from '../../../test/until.ts'
import { OPENING_BYTES } from '../src/payment/openings.ts'
import { errorOf } from './answers.ts'
import { bytes, type CutWire, idOf, STREAM, startCutWire, WHOLE } from './cutWire.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import type { Harness } from './harness.ts'

describe('two gateways on one PostgreSQL, of which one has a wire that can be cut', {
  skip: postgresMissing(),
}, () => {
  let world: CutWire
  let { server, wire, nodes, steady, wired, stateOf, sendOverCut, waitsForWrite } = {} as CutWire

  before(async () => {
    world = await startCutWire()
    ;({ server, wire, nodes, steady, wired, stateOf, sendOverCut, waitsForWrite } = world)
  })
  after(() => world?.close())
  beforeEach(() => world.refresh())
  afterEach(() => {
    wire.heal('resume')
  })

  for (const [what, body, script] of [
    ['a whole answer', BODY, WHOLE],
    ['a stream to a payer who has not paid here', STREAM_BODY, STREAM],
  ] as const) {
    test(`${what} waits for the claim, and its node does not`, async () => {
      nodes[1].script = script
      const headers = await wired.payFor(body, wired.payer())
      const heard = await waitsForWrite(body, headers)
      assert.equal(heard.status, 200)
      await heard.text()
      assert.equal(await stateOf(idOf(heard)), 'finished')
    })
  }

  /** Of a payer who may have the opening of his next stream at once. */
  async function trusted(): Promise<ReturnType<Harness['payer']>> {
    const payer = wired.payer()
    assert.equal((await wired.post(BODY, await wired.payFor(BODY, payer))).status, 200)
    return payer
  }
  test('the opening of a stream goes to who paid here before the claim is there, and the rest behind it', async () => {
    const payer = await trusted()
    const long = `data: ${'x'.repeat(OPENING_BYTES)}\n\n`
    nodes[1].script = { kind: 'stream', chunks: [bytes(long)] }
    const { answer } = await sendOverCut(STREAM_BODY, await wired.payFor(STREAM_BODY, payer))
    const heard = await answer
    const reader = (heard.body as ReadableStream<Uint8Array>).getReader()
    let opening = ''
    while (opening.length < OPENING_BYTES) opening += new TextDecoder().decode((await reader.read()).value)
    assert.equal(opening, long.slice(0, OPENING_BYTES))
    wire.heal('resume')
    let rest = ''
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      rest += new TextDecoder().decode(part.value)
    }
    assert.ok(rest.startsWith(long.slice(OPENING_BYTES)) && rest.endsWith('data: [DONE]\n\n'))
    assert.equal(await stateOf(idOf(heard)), 'finished')
  })

  test('an opening of which the payment turns out to be used ends with the reason, and another is waited for', async () => {
    const payer = await trusted()
    const used = await steady.payFor(STREAM_BODY, payer)
    nodes[0].script = STREAM
    nodes[1].script = STREAM
    await (await steady.post(STREAM_BODY, used)).text()
    const { answer } = await sendOverCut(STREAM_BODY, used)
    const heard = await answer
    const again = wired.post(STREAM_BODY, used)
    wire.heal('resume')
    const text = await heard.text()
    assert.ok(text.startsWith('data: 1\n\n') && /payment_used/.test(text))
    assert.ok(!text.includes('[DONE]') && !text.includes(RECEIPT_COMMENT))
    assert.equal((await again).status, 409)
    assert.equal(await stateOf(idOf(heard)), 'finished')
  })

  test('a payment that another gateway is being paid with: its node is stopped, and the other answers and is paid', async () => {
    const { promise: pause, resolve: goOn } = Promise.withResolvers<void>()
    const { promise: work, resolve: endWork } = Promise.withResolvers<void>()
    nodes[0].script = { ...STREAM, pause }
    nodes[1].script = { ...STREAM, work }
    const headers = await steady.payFor(STREAM_BODY)
    const first = await steady.post(STREAM_BODY, headers)
    const { answer } = await sendOverCut(STREAM_BODY, headers)
    wire.heal('resume')
    const refused = await answer
    assert.equal(refused.status, 409)
    assert.equal((await errorOf(refused)).code, 'payment_used')
    assert.equal(await stateOf(idOf(first)), 'forwarded')
    goOn()
    endWork()
    assert.match(await first.text(), /data: \[DONE\]\n\n$/)
    assert.equal(await stateOf(idOf(first)), 'finished')
  })

  test('a client that leaves before the claim is there ends nothing of the request that has its payment', async () => {
    const { promise: pause, resolve: goOn } = Promise.withResolvers<void>()
    nodes[0].script = { ...STREAM, pause }
    nodes[1].script = { ...STREAM, work: new Promise(() => {}) }
    const headers = await steady.payFor(STREAM_BODY)
    const first = await steady.post(STREAM_BODY, headers)
    const leaving = new AbortController()
    const { answer } = await sendOverCut(STREAM_BODY, headers, { signal: leaving.signal })
    leaving.abort()
    await assert.rejects(answer)
    wire.heal('resume')
    await until(() => wired.logs.some((line) => line.startsWith('refused ') && line.includes(idOf(first))))
    assert.equal(await stateOf(idOf(first)), 'forwarded')
    goOn()
    await first.text()
    assert.equal(await stateOf(idOf(first)), 'finished')
  })

  test('a client that leaves before its own claim is there is looked for, and pays what its node signs', async () => {
    nodes[1].script = STREAM
    const headers = await wired.payFor(STREAM_BODY)
    const leaving = new AbortController()
    const { answer } = await sendOverCut(STREAM_BODY, headers, { signal: leaving.signal })
    leaving.abort()
    await assert.rejects(answer)
    wire.heal('resume')
    const requestId = await until(
      () => wired.logs.findLast((line) => line.startsWith('client_gone '))?.match(/0x[0-9a-f]{64}/)?.[0],
    )
    await until(async () => (await stateOf(requestId)) === 'finished')
  })

  test('of payments that were used already one reaches a node, until a good one is claimed', async () => {
    const used: Record<string, string>[] = []
    for (let call = 0; call < 4; call++) {
      const headers = await steady.payFor(BODY)
      assert.equal((await steady.post(BODY, headers)).status, 200)
      used.push(headers)
    }
    const asked = nodes[1].requests.length
    for (const headers of used) {
      assert.equal((await errorOf(await wired.post(BODY, headers))).code, 'payment_used')
    }
    assert.ok(nodes[1].requests.length <= asked + 1)
    assert.equal((await wired.post(BODY, await wired.payFor(BODY))).status, 200)
  })

  test('an outage reaches a node once: what comes after is refused before one is asked, and may be sent again', async () => {
    const payments: Record<string, string>[] = []
    for (let call = 0; call < 4; call++) payments.push(await wired.payFor(BODY))
    const asked = nodes[1].requests.length
    await server.stop('crash')
    const said: unknown[] = []
    for (const headers of payments) {
      const refused = await wired.post(BODY, headers)
      const { code, message } = await errorOf(refused)
      assert.equal(code, 'store_unavailable')
      said.push([refused.status, refused.headers.get('retry-after'), /new payment/.test(message)])
    }
    assert.deepEqual(said, [[503, null, true], ...Array(3).fill([503, '1', false])])
    assert.ok(nodes[1].requests.length <= asked + 1)
    await server.start()
    for (const headers of payments.slice(1)) {
      await until(async () => (await wired.post(BODY, headers)).status === 200)
    }
  })
})
