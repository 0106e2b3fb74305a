/** Which node gets a request, why, and what happens when it fails: the real gateway over several nodes. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { MODE, type Receipt } from '@assay/protocol'
import { type Database, findRequest, openDatabase } from '@assay/store'
import { type Address, parseEther } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import { CHAIN_PAYMENT } from '../src/chain/gatewayChain.ts'
import { errorOf } from './answers.ts'
import { createFakeChain } from './fakeChain.ts'
import { BODY, COMMITTER, headOf, MODEL, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import { NODE_OPERATOR, type Script, STUB_KEY, type StubNode, startStubNode } from './stubNode.ts'

const OTHER: Address = `0x${'0e'.repeat(20)}`
const STRANGER: Address = `0x${'0f'.repeat(20)}`
const WHOLE: Script = { kind: 'whole', body: new TextEncoder().encode('{}') }

let harness: Harness
let database: Database
let other: StubNode
let stranger: StubNode
before(async () => {
  other = await startStubNode(OTHER)
  stranger = await startStubNode(STRANGER)
  database = await openDatabase({ directory: temporaryFolder('gateway') })
  const chain = createFakeChain()
  chain.quorumStake = parseEther('2000')
  harness = await startHarness({
    database,
    chain,
    others: [other],
    source: 'registry',
    limits: { recoverMs: 500, discoverMs: 100, standingMs: 50 },
  })
})
after(async () => {
  await harness.close()
  await other.close()
  await stranger.close()
})
beforeEach(async () => {
  const { chain, node } = harness
  for (const each of [node, other]) {
    each.script = WHOLE
    each.ill = false
    each.offer = { modes: ['tee'], key: STUB_KEY, engineClass: 0 }
  }
  chain.bondsOf.clear()
  chain.revokedKeys.clear()
  const untouched = chain.bondCoverage.toString()
  await knows(({ circuit, models: [model] }) => {
    const { modes, paths, keyValid, left } = model as Model
    const isPlain = modes[0] === 'tee' && paths === null
    return circuit === 'closed' && isPlain && keyValid && left === untouched
  })
})

type NodeState = { operator: string; healthy: boolean; draining: boolean; circuit: string; models: Model[] }
type Model = { name: string; modes: string[]; paths: string[] | null; keyValid: boolean; left: string }

async function states(): Promise<NodeState[]> {
  const response = await fetch(`${harness.gateway.url}/v1/nodes`)
  return ((await response.json()) as { data: NodeState[] }).data
}

/** Waits until the router sees both nodes well, and this too. */
const knows = (also: (state: NodeState) => boolean) =>
  until(async () => {
    const seen = (await states()).filter(({ operator }) => operator !== STRANGER)
    return seen.every((state) => state.healthy && also(state)) && seen.length === 2
  })

const offers = (operator: Address, is: (model: Model) => boolean) =>
  until(async () => {
    const state = (await states()).find((seen) => seen.operator === operator)
    return state?.models[0] !== undefined && is(state.models[0])
  })

async function buy(headers: Record<string, string> = {}, body = BODY): Promise<Response> {
  const response = await harness.post(body, { ...(await harness.payFor(body)), ...headers })
  return response
}

const nodeOf = (response: Response) =>
  /node="(0x[0-9a-f]{40})"/.exec(response.headers.get('x-assay-route') ?? '')?.[1]

test('every answer says which node gave it, in which mode, why and of how many', async () => {
  const response = await buy({ 'x-assay-verification': 'tee' })
  assert.equal(response.status, 200, await response.clone().text())
  assert.match(
    response.headers.get('x-assay-route') ?? '',
    /^node="0x[0-9a-f]{40}"; mode=tee; why="asked for"; candidates=2; attempt=1$/,
  )
  assert.match(response.headers.get('access-control-expose-headers') ?? '', /x-assay-route/)
})

test('auto takes the cheapest mode whose cost of corruption exceeds what is at risk, and says so', async () => {
  harness.node.offer = { modes: ['bonded'], key: STUB_KEY, engineClass: 2 }
  harness.chain.bondsOf.set(NODE_OPERATOR, { covered: parseEther('100'), open: parseEther('40') })
  await offers(
    NODE_OPERATOR,
    ({ modes, left }) => modes[0] === 'bonded' && left === parseEther('60').toString(),
  )
  const little = await buy({ 'x-assay-value-at-risk': '59' })
  assert.equal(nodeOf(little), NODE_OPERATOR)
  assert.match(
    little.headers.get('x-assay-route') ?? '',
    /mode=bonded; why="cheapest whose cost of corruption \(60 OPG\) exceeds 59 OPG"/,
  )
  // As much as the bond is not less than the bond.
  const more = await buy({ 'x-assay-value-at-risk': '60' })
  assert.equal(nodeOf(more), OTHER)
  assert.match(more.headers.get('x-assay-route') ?? '', /mode=tee; /)
  // Asked for by name, the bond alone is enough to cover it.
  assert.equal(
    nodeOf(await buy({ 'x-assay-value-at-risk': '60', 'x-assay-verification': 'bonded' })),
    NODE_OPERATOR,
  )
})

test('what no bond covers is refused with what each mode would cost to corrupt; what is only reserved now may come again', async () => {
  for (const operator of [NODE_OPERATOR, OTHER])
    harness.chain.bondsOf.set(operator, { covered: parseEther('100'), open: parseEther('40') })
  await offers(NODE_OPERATOR, ({ left }) => left === parseEther('60').toString())
  await offers(OTHER, ({ left }) => left === parseEther('60').toString())
  const never = await buy({ 'x-assay-value-at-risk': '101' })
  assert.equal(never.status, 400)
  const error = await errorOf(never)
  assert.equal(error.code, 'value_at_risk_uncovered')
  assert.match(error.message, /puts 101 OPG at risk.*Cost of corruption: tee [0-9.]+ OPG/)
  const later = await buy({ 'x-assay-value-at-risk': '61' })
  assert.equal(later.status, 503)
  assert.equal(later.headers.get('retry-after'), '5')
  assert.equal((await errorOf(later)).code, 'coverage_busy')
})

test('a request goes to who answers at its path; where nobody does it is refused by name, unpaid, and not for sale', async () => {
  const { node, gateway } = harness
  node.offer = { ...node.offer, paths: ['/v1/embeddings'] }
  other.offer = { ...other.offer, paths: ['/v1/chat/completions', '/v1/messages'] }
  await offers(NODE_OPERATOR, ({ paths }) => paths?.length === 1)
  await offers(OTHER, ({ paths }) => paths?.length === 2)
  for (let call = 0; call < 4; call++) assert.equal(nodeOf(await buy()), OTHER)
  const refused = await fetch(`${gateway.url}/v1/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: MODEL.name, prompt: 'Hello' }),
    headers: headOf('/v1/completions'),
  })
  assert.equal(refused.status, 400)
  const { code, message } = await errorOf(refused)
  assert.equal(code, 'unsupported_model')
  assert.match(message, /It answers at \/v1\/embeddings, \/v1\/chat\/completions, \/v1\/messages\.$/)
  const found = await fetch(`${gateway.url}/facilitator/discovery/search?query=${MODEL.name}`)
  const { resources } = (await found.json()) as { resources: { resource: string }[] }
  assert.deepEqual(
    resources.map(({ resource }) => new URL(resource).pathname),
    ['/v1/chat/completions', '/v1/embeddings', '/v1/messages'],
  )
})

test('a mode that nobody offers is refused by name, in the dialect that was asked', async () => {
  const refused = await buy({ 'x-assay-verification': 'zk' })
  assert.equal(refused.status, 400)
  const error = await errorOf(refused)
  assert.equal(error.code, 'unsupported_mode')
  assert.match(error.message, /\(zk\); it can be: auto, tee\./)
  const body = JSON.stringify({ ...JSON.parse(BODY) })
  const anthropic = await fetch(`${harness.gateway.url}/v1/messages`, {
    method: 'POST',
    body,
    headers: { ...headOf('/v1/messages'), 'x-assay-verification': 'magic' },
  })
  assert.equal(anthropic.status, 400)
  const said = (await anthropic.json()) as { type: string; error: { details: { error_code: string } } }
  assert.deepEqual([said.type, said.error.details.error_code], ['error', 'unsupported_mode'])
  assert.equal((await errorOf(await buy({ 'x-assay-value-at-risk': 'much' }))).code, 'invalid_value_at_risk')
  const dear = await buy({ 'assay-max-price': '3' })
  assert.equal((await errorOf(dear)).code, 'price_above_maximum')
})

test('a receipt of another mode than the one that was chosen, or for less than was at risk, does not count', async () => {
  for (const alter of [
    (receipt: Receipt) => ({ ...receipt, mode: MODE.bonded }),
    (receipt: Receipt) => ({ ...receipt, valueAtRisk: receipt.valueAtRisk - 1n }),
  ]) {
    for (const node of [harness.node, other]) node.script = { ...WHOLE, alter }
    for (const verification of ['auto', 'tee']) {
      const refused = await buy({ 'x-assay-value-at-risk': '5', 'x-assay-verification': verification })
      assert.deepEqual([refused.status, (await errorOf(refused)).code], [502, 'bad_receipt'])
    }
  }
  // It is the nodes' failure: their circuits have opened, and close with what they answer next.
  for (const node of [harness.node, other]) node.script = WHOLE
  await until(async () => {
    assert.equal((await buy()).status, 200)
    return (await states()).every(({ circuit }) => circuit === 'closed')
  })
})

test('a node whose key the chain does not let sign gets nothing, and neither does one that is ill', async () => {
  const bad: Address = `0x${'ba'.repeat(20)}`
  harness.chain.revokedKeys.add(bad)
  other.offer = { modes: ['tee'], key: bad, engineClass: 0 }
  await offers(OTHER, ({ keyValid }) => !keyValid)
  for (let call = 0; call < 4; call++) assert.equal(nodeOf(await buy()), NODE_OPERATOR)
  harness.node.ill = true
  await until(
    async () => (await states()).find(({ operator }) => operator === NODE_OPERATOR)?.healthy === false,
  )
  const none = await buy().catch((error: Error) => error)
  assert.match(String(none), /"code":"no_node".*|1 down, 1 without a valid key/)
})

test('a node that refuses, has the request already, breaks off or is gone before the first byte: another answers, and nothing is paid twice', async () => {
  const failures: Partial<Script>[] = [
    { kind: 'whole', status: 429, withoutReceipt: true },
    { kind: 'whole', status: 503, withoutReceipt: true },
    { kind: 'whole', status: 409, withoutReceipt: true },
    { dieBeforeHead: true },
  ]
  for (const failure of failures) {
    for (const [bad, good] of [
      [harness.node, other],
      [other, harness.node],
    ] as const) {
      bad.script = { ...WHOLE, ...failure }
      // Slow enough that the other one is preferred.
      good.script = { ...WHOLE, delayMs: 40 }
      const response = await until(async () => {
        const answer = await buy()
        assert.equal(answer.status, 200, await answer.text())
        return answer.headers.get('x-assay-route')?.endsWith('attempt=2') === true && answer
      })
      assert.equal(nodeOf(response), good.world.operator)
      const requestId = response.headers.get('x-assay-request-id') ?? ''
      assert.equal((await findRequest(database, requestId))?.nodeUrl, good.url)
    }
  }
  assert.match(await harness.metrics(), /assay_gateway_failovers_total\{kind="429"\} [1-9]/)
})

test('a node that hangs with a request loses it to another; one that takes long and says how it is keeps it', async (t) => {
  const [slow, spare] = [await startStubNode(), await startStubNode(OTHER)]
  const healthTimeoutMs = 10_000
  const { timeout } = AbortSignal
  // A silence is short once there is one. Until then this machine may take its time to answer for both of them.
  t.mock.method(AbortSignal, 'timeout', (milliseconds: number) =>
    timeout.call(AbortSignal, slow.mute && milliseconds === healthTimeoutMs ? 200 : milliseconds),
  )
  const world = await startHarness({ node: slow, others: [spare], limits: { healthTimeoutMs } })
  const done = Promise.withResolvers<void>()
  t.after(async () => {
    done.resolve()
    await world.close()
    for (const node of [slow, spare]) await node.close()
  })
  slow.script = { ...WHOLE, work: done.promise }
  // Slow enough that the other one is preferred.
  spare.script = { ...WHOLE, delayMs: 40 }
  const calls: Promise<Response>[] = []
  await until(async () => {
    calls.push(world.post(BODY, await world.payFor(BODY)))
    return slow.requests.length > 0
  })
  const { looks } = slow
  await until(() => slow.looks > looks + 4)
  assert.doesNotMatch(await world.metrics(), /node_hangs/)
  slow.mute = true
  for (const response of await Promise.all(calls)) {
    assert.deepEqual([response.status, nodeOf(response)], [200, OTHER])
    const id = response.headers.get('x-assay-request-id') as `0x${string}`
    await until(() => world.chain.state.payments.get(id)?.state === CHAIN_PAYMENT.paid)
  }
  assert.match(await world.metrics(), /assay_gateway_failovers_total\{kind="node_hangs"\} [1-9]/)
})

test('once a byte is out the stream ends with an error, and nobody else answers', async () => {
  const chunks = [new TextEncoder().encode('data: 1\n\n')]
  let die = (): void => {}
  const pause = new Promise<void>((resolve) => {
    die = resolve
  })
  for (const node of [harness.node, other]) {
    node.script = { kind: 'stream', chunks, pause, dieBeforeReceipt: true }
  }
  const asked = () => harness.node.requests.length + other.requests.length
  const before = asked()
  const reader = ((await buy({}, STREAM_BODY)).body as ReadableStream<Uint8Array>).getReader()
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'data: 1\n\n')
  die()
  const rest: Uint8Array[] = []
  for (let part = await reader.read(); !part.done; part = await reader.read()) rest.push(part.value)
  assert.match(Buffer.concat(rest).toString(), /"code":"node_failed"/)
  assert.equal(asked(), before + 1)
})

test('who fails again and again gets a pause, then a trial, and is back', async (t) => {
  harness.node.script = { ...WHOLE, status: 500, withoutReceipt: true }
  const circuit = async () => (await states()).find(({ operator }) => operator === NODE_OPERATOR)?.circuit
  let before = 0
  while ((await circuit()) === 'closed') {
    before = performance.now()
    assert.equal((await buy()).status, 200)
  }
  // For the gateway it stays the time of the last failure: on a slow machine the pause would be over before it is looked at.
  const clock = t.mock.method(performance, 'now', () => before)
  assert.equal(await circuit(), 'open')
  const asked = harness.node.requests.length
  assert.equal(nodeOf(await buy()), OTHER)
  assert.equal(harness.node.requests.length, asked)
  clock.mock.restore()
  harness.node.script = WHOLE
  await until(async () => (await circuit()) === 'half-open')
  await until(async () => {
    await (await buy()).arrayBuffer()
    return (await circuit()) === 'closed'
  })
})

test('a trial that meets a full queue is not the last one', async () => {
  const state = async () => (await states()).find(({ operator }) => operator === NODE_OPERATOR)?.circuit
  // Slow enough that the one that fails is preferred.
  other.script = { ...WHOLE, delayMs: 40 }
  harness.node.script = { ...WHOLE, status: 500, withoutReceipt: true }
  while ((await state()) === 'closed') assert.equal((await buy()).status, 200)
  harness.node.script = { ...WHOLE, status: 429, withoutReceipt: true }
  const asked = harness.node.requests.length
  await until(async () => {
    assert.equal(nodeOf(await buy()), OTHER)
    return harness.node.requests.length > asked
  })
  harness.node.script = WHOLE
  await until(async () => nodeOf(await buy()) === NODE_OPERATOR)
})

test('the slower of two gets less', async () => {
  const slow = other
  const began = performance.now()
  await buy()
  // By far more than what any call takes on this machine just now.
  slow.script = { ...WHOLE, delayMs: 400 + 4 * (performance.now() - began) }
  const tally = new Map<string | undefined, number>()
  for (let call = 0; call < 16; call++) {
    const operator = nodeOf(await buy())
    tally.set(operator, (tally.get(operator) ?? 0) + 1)
  }
  assert.ok((tally.get(NODE_OPERATOR) ?? 0) > (tally.get(OTHER) ?? 0), JSON.stringify([...tally]))
})

test('a bonded stranger is found on the chain and serves; when he leaves, what he is answering is finished first', async () => {
  stranger.offer = { modes: ['bonded'], key: STUB_KEY, engineClass: 2 }
  const chunks = [new TextEncoder().encode('data: 1\n\n')]
  let resume = (): void => {}
  stranger.script = {
    kind: 'stream',
    chunks,
    pause: new Promise((resolve) => {
      resume = resolve
    }),
  }
  // The gateway itself is bonded too, and is no node; a name that cannot be dialled is left alone.
  harness.chain.bonded = [
    { operator: COMMITTER, url: harness.gateway.url },
    { operator: STRANGER, url: stranger.url },
    { operator: OTHER, url: 'ftp://nowhere' },
  ]
  await until(async () => (await states()).some((seen) => seen.operator === STRANGER && seen.healthy))
  // Its health is known before its standing on the chain is; until then nobody qualifies, and the call costs nothing.
  const running = await until(async () => {
    const answer = await buy({ 'x-assay-verification': 'bonded' }, STREAM_BODY)
    return nodeOf(answer) === STRANGER && answer
  })
  harness.chain.bonded = []
  await until(async () => (await states()).some((seen) => seen.operator === STRANGER && seen.draining))
  resume()
  assert.match(await running.text(), /\[DONE\]/)
  await until(async () => (await states()).every((seen) => seen.operator !== STRANGER))
})
