/**
 * A node begins while the claim of its request is on the way to PostgreSQL. Nothing of its answer goes out before the claim is
 * there, and where another gateway has the payment the node worked for nothing and that one's request is left alone.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { findRequest, openDatabase } from '@assay/store'
import type { Hex } from 'viem'
import { startWire, type Wire } from '../../../test/history/wire.ts'
import { type PostgresServer, postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { until } from '../../../test/until.ts'
import { errorOf } from './answers.ts'
import { createFakeChain } from './fakeChain.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import { type Script, type StubNode, startStubNode } from './stubNode.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const WHOLE: Script = { kind: 'whole', body: bytes('{"n":1}') }
const STREAM: Script = { kind: 'stream', chunks: [bytes('data: 1\n\n'), bytes('data: 2\n\n')] }

describe('two gateways on one PostgreSQL, of which one has a wire that can be cut', {
  skip: postgresMissing(),
}, () => {
  const chain = createFakeChain()
  let server: PostgresServer
  let wire: Wire
  let databaseUrl: string
  let nodes: [StubNode, StubNode]
  /** Each has a node of its own. */
  let steady: Harness
  let wired: Harness

  before(async () => {
    server = await startPostgres()
    wire = await startWire(server.port)
    databaseUrl = await server.createDatabase()
    nodes = [await startStubNode(), await startStubNode()]
    steady = await startHarness({ databaseUrl, chain, node: nodes[0] })
    wired = await startHarness({
      databaseUrl: databaseUrl.replace(String(server.port), String(wire.port)),
      chain,
      node: nodes[1],
    })
  })
  after(async () => {
    await steady?.close()
    await wired?.close()
    for (const node of nodes ?? []) await node.close()
    await wire?.close()
    await server?.close()
  })
  beforeEach(async () => {
    for (const node of nodes) node.script = WHOLE
    // A claim that was written: the next one is not waited for.
    assert.equal((await wired.post(BODY, await wired.payFor(BODY))).status, 200)
  })
  afterEach(() => {
    wire.heal('resume')
  })

  async function stateOf(requestId: string): Promise<string | undefined> {
    const database = await openDatabase({ directory: '', databaseUrl })
    try {
      return (await findRequest(database, requestId as Hex))?.state
    } finally {
      await database.close()
    }
  }
  /** Cuts the wire and sends a request over it. @returns its answer to come, as soon as its node has the request */
  async function sendOverCut(body: string, headers: Record<string, string>, init: RequestInit = {}) {
    const before = nodes[1].requests.length
    wire.cut()
    let isHeard = false
    const answer = wired.post(body, headers, init).finally(() => {
      isHeard = true
    })
    answer.catch(() => {})
    await until(() => nodes[1].requests.length > before)
    return { answer, isHeard: () => isHeard }
  }
  const idOf = (answer: Response): string => answer.headers.get('x-assay-request-id') ?? ''

  for (const [what, body, script] of [
    ['a whole answer', BODY, WHOLE],
    ['a stream to a payer who may have its opening at once', STREAM_BODY, STREAM],
  ] as const) {
    test(`${what} waits for the claim, and its node does not`, async () => {
      nodes[1].script = script
      const payer = wired.payer()
      const earned = await wired.post(body, await wired.payFor(body, payer))
      assert.equal(earned.status, 200)
      await earned.text()
      const headers = await wired.payFor(body, payer)
      const signed = nodes[1].receipts.size
      const { answer, isHeard } = await sendOverCut(body, headers)
      await until(() => nodes[1].receipts.size > signed)
      // The gateway has heard its node before it hears this.
      for (let look = 0; look < 5; look++) await fetch(`${wired.gateway.url}/health`)
      assert.equal(isHeard(), false)
      wire.heal('resume')
      const heard = await answer
      assert.equal(heard.status, 200)
      await heard.text()
      assert.equal(await stateOf(idOf(heard)), 'finished')
    })
  }

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
