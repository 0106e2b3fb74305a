/** Clients that can send nothing but an API key: what a key may spend, and that no more is ever promised. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, test } from 'node:test'
import { apiKeyOf, decodeGrantHeader, type SpendingGrant } from '@assay/protocol'
import type { Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import { BODY, headOf, MODEL } from './fixtures.ts'
import { grantOn, grantWith, payer, register } from './grantOn.ts'
import { type Harness, startHarness } from './harness.ts'
import { startStubNode } from './stubNode.ts'

const open: Harness[] = []
afterEach(async () => {
  for (const harness of open.splice(0)) await harness.close()
})

async function start(options: Parameters<typeof startHarness>[0] = {}): Promise<Harness> {
  const harness = await startHarness(options)
  open.push(harness)
  harness.node.script = wholeAnswer('hello')
  return harness
}

const wholeAnswer = (text: string) => ({
  kind: 'whole' as const,
  body: new TextEncoder().encode(`"${text}"`),
})

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

async function codeOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  assert.ok(error.message.length > 20, error.message)
  return `${response.status} ${error.code}`
}

async function stateOf(
  harness: Harness,
  id: Hex,
): Promise<Record<'spent' | 'reserved' | 'left' | 'settled', string>> {
  const response = await fetch(`${harness.gateway.url}/v1/grants/${id}`)
  assert.equal(response.status, 200)
  return (await response.json()) as Record<'spent' | 'reserved' | 'left' | 'settled', string>
}

test('a bearer key is served, its node is shown the grant and never the key, and the deposit pays the price', async () => {
  const harness = await start()
  const { id, key, grant } = await grantOn(harness)
  for (const headers of [bearer(key), { 'x-api-key': key }]) {
    const answer = await harness.post(BODY, headers)
    assert.equal(answer.status, 200, await answer.clone().text())
    assert.ok(answer.headers.get('x-assay-receipt'))
  }
  const sent = harness.node.requests.map(({ rawHeaders }) => rawHeaders.join('\n'))
  for (const headers of sent) assert.doesNotMatch(headers, new RegExp(key))
  const passes = harness.node.requests.map(({ rawHeaders }) =>
    decodeGrantHeader(rawHeaders[rawHeaders.indexOf('assay-grant') + 1] as string),
  )
  assert.deepEqual(
    passes.map(({ counter }) => counter),
    [1n, 2n],
  )
  assert.deepEqual(passes[0]?.grant, grant)
  await until(() => harness.chain.state.accounts.get(id)?.spent === 10n)
  assert.equal((await stateOf(harness, id)).spent, '10')
  const requestId = passes[0]?.auth.auth.requestId
  const status = await until(async () => {
    const response = await fetch(`${harness.gateway.url}/v1/receipts/${requestId}`)
    const value = (await response.json()) as { state: string; grant: object; payment: { state: string } }
    return value.payment.state === 'settled' && value
  })
  assert.equal(status.state, 'final')
  assert.deepEqual(status.grant, { id, counter: '1' })
})

test('only the payer makes a key, only for this gateway, and only under a grant that is open', async () => {
  const harness = await start()
  const { grant } = await grantOn(harness)
  const key = apiKeyOf(randomBytes(32))
  assert.equal(
    await codeOf(await register(harness, grant, key, { by: generatePrivateKey() })),
    '403 invalid_signature',
  )
  assert.equal(await codeOf(await register(harness, grantWith(), key)), '409 grant_not_open')
  const elsewhere = grantWith({ gateway: payer })
  assert.equal(await codeOf(await register(harness, elsewhere, key)), '400 grant_of_other_gateway')
  const over = grantWith({ expiry: 1n })
  assert.equal(await codeOf(await register(harness, over, key)), '400 grant_expired')
  const garbage = await fetch(`${harness.gateway.url}/v1/grants`, { method: 'POST', body: '{"grant":[]}' })
  assert.equal(await codeOf(garbage), '400 malformed')
})

test('a key is good until it is taken back, for good, and another under the same grant goes on', async () => {
  const harness = await start()
  const { grant, key } = await grantOn(harness)
  const second = apiKeyOf(randomBytes(32))
  assert.equal((await register(harness, grant, second)).status, 201)
  assert.equal((await register(harness, grant, key, { allowed: false })).status, 200)
  // Whoever recorded the payer's first statement cannot bring the key back with it.
  assert.equal((await register(harness, grant, key)).status, 201)
  assert.equal(await codeOf(await harness.post(BODY, bearer(key))), '401 api_key_revoked')
  assert.equal((await harness.post(BODY, bearer(second))).status, 200)
})

test('keys that nobody made are 401, foreign keys are asked to pay', async () => {
  const harness = await start()
  assert.equal(await codeOf(await harness.post(BODY, bearer('assay_nonsense'))), '401 invalid_api_key')
  assert.equal(
    await codeOf(await harness.post(BODY, bearer(apiKeyOf(randomBytes(32))))),
    '401 invalid_api_key',
  )
  for (const headers of [bearer('sk-something'), { 'x-api-key': 'sk-something' }]) {
    const foreign = await harness.post(BODY, headers)
    assert.equal(foreign.status, 402)
    const said = await foreign.text()
    assert.match(said, /Its API key is none of ours, which begin with assay_\./)
    assert.doesNotMatch(said, /sk-something/)
  }
  const anthropic = await fetch(`${harness.gateway.url}/v1/messages`, {
    method: 'POST',
    headers: { ...headOf('/v1/messages'), 'x-api-key': 'assay_nonsense' },
    body: BODY,
  })
  assert.equal(anthropic.status, 401)
  const body = (await anthropic.json()) as { type: string; error: { type: string } }
  assert.deepEqual([body.type, body.error.type], ['error', 'authentication_error'])
})

test('a quote under a key is by the nodes of its grant', async () => {
  const harness = await start()
  const { key } = await grantOn(harness, { nodes: [payer] })
  const quote = (headers: Record<string, string>) =>
    fetch(`${harness.gateway.url}/v1/quotes`, { method: 'POST', body: BODY, headers })
  assert.equal((await quote({})).status, 200)
  assert.equal(await codeOf(await quote(bearer(key))), '503 no_node')
  assert.equal(await codeOf(await quote(bearer('assay_nonsense'))), '401 invalid_api_key')
})

test('each limit of a grant is refused in plain words, before anything is sent', async () => {
  const harness = await start()
  const cases: [Partial<SpendingGrant>, string][] = [
    [{ maxPerCall: 1n }, '400 grant_call_limit'],
    [{ models: [`0x${'99'.repeat(32)}`] }, '403 grant_model'],
    [{ nodes: [payer] }, '503 no_node'],
    [{ maxTotal: 10n }, '402 grant_exhausted'],
    [{ ratePerHour: 10n }, '429 grant_rate_limited'],
  ]
  for (const [changes, expected] of cases) {
    const { key } = await grantOn(harness, changes)
    assert.equal(await codeOf(await harness.post(BODY, bearer(key))), expected)
  }
  const revoked = await grantOn(harness)
  const account = harness.chain.state.accounts.get(revoked.id)
  if (account !== undefined) account.revokedAt = 1n
  assert.equal(await codeOf(await harness.post(BODY, bearer(revoked.key))), '402 grant_revoked')
  assert.equal(harness.node.requests.length, 0)
  const named = await grantOn(harness, { models: [MODEL.modelId] })
  assert.equal((await harness.post(BODY, bearer(named.key))).status, 200)
})

/** What one call of BODY may cost, as the gateway quotes it. */
async function quoteOf(harness: Harness): Promise<bigint> {
  const { key, id } = await grantOn(harness)
  let release: () => void = () => {}
  const script = harness.node.script
  const pause = new Promise<void>((resolve) => {
    release = resolve
  })
  harness.node.script = { kind: 'stream', chunks: [new TextEncoder().encode('data: {}\n\n')], pause }
  const running = harness.post(BODY, bearer(key))
  const reserved = await until(async () => {
    const state = await stateOf(harness, id)
    return state.reserved !== '0' && BigInt(state.reserved)
  })
  release()
  await (await running).text()
  harness.node.script = script
  return reserved
}

test('calls at once never promise more than the deposit, whoever wins', async () => {
  const harness = await start()
  const quote = await quoteOf(harness)
  // Room for four at their highest price; each costs 5 in the end.
  const funded = 4n * quote + 3n
  const { key, id } = await grantOn(harness, { maxTotal: 10n ** 9n }, funded)
  let release: () => void = () => {}
  const pause = new Promise<void>((resolve) => {
    release = resolve
  })
  harness.node.script = { kind: 'stream', chunks: [new TextEncoder().encode('data: {}\n\n')], pause }
  const running = Array.from({ length: 24 }, () => harness.post(BODY, bearer(key)))
  let refused = 0
  for (const answer of running) void answer.then(({ status }) => (refused += status === 429 ? 1 : 0))
  await until(() => refused === 20)
  assert.equal((await stateOf(harness, id)).reserved, (4n * quote).toString())
  release()
  const answers = await Promise.all(running)
  for (const answer of answers) {
    if (answer.status === 429) assert.equal(await codeOf(answer), '429 grant_busy')
    else await answer.text()
  }
  assert.deepEqual(
    await until(async () => {
      const state = await stateOf(harness, id)
      return state.reserved === '0' && [state.spent, state.left]
    }),
    ['20', (funded - 20n).toString()],
  )
})

test('the hour is counted in prices, and its limit says when to come back', async () => {
  const harness = await start()
  const quote = await quoteOf(harness)
  const { key } = await grantOn(harness, { ratePerHour: quote + 4n })
  assert.equal((await harness.post(BODY, bearer(key))).status, 200)
  const refused = await harness.post(BODY, bearer(key))
  assert.ok(Number(refused.headers.get('retry-after')) > 60)
  assert.equal(await codeOf(refused), '429 grant_rate_limited')
})

test('what a call that yields nothing had set aside is free again, and its counter is never used twice', async () => {
  const directory = temporaryFolder('gateway-grants')
  const harness = await start({ directory })
  const { key, id } = await grantOn(harness)
  harness.node.script = { kind: 'whole', status: 503, withoutReceipt: true, body: new Uint8Array() }
  assert.equal((await harness.post(BODY, bearer(key))).status, 503)
  harness.node.script = {
    kind: 'stream',
    chunks: [new TextEncoder().encode('data: {}\n\n')],
    dieBeforeReceipt: true,
  }
  await (await harness.post(BODY, bearer(key))).text()
  assert.deepEqual(await stateOf(harness, id).then(({ spent, reserved }) => [spent, reserved]), ['0', '0'])
  harness.node.script = wholeAnswer('again')
  assert.equal((await harness.post(BODY, bearer(key))).status, 200)
  const counters = harness.node.requests.map(
    ({ rawHeaders }) =>
      decodeGrantHeader(rawHeaders[rawHeaders.indexOf('assay-grant') + 1] as string).counter,
  )
  assert.deepEqual(counters, [1n, 2n, 3n])
  await until(() => harness.chain.state.accounts.get(id)?.spent === 5n)
})

test('a node that breaks off a call under a grant: another answers it, and the deposit pays once', async () => {
  const other = await startStubNode(`0x${'0e'.repeat(20)}`)
  const harness = await start({ others: [other] })
  const { key, id } = await grantOn(harness)
  for (const [asked, next] of [
    [harness.node, other],
    [other, harness.node],
  ] as const) {
    // Whoever is asked first breaks off.
    asked.script = {
      ...wholeAnswer('first'),
      dieBeforeHead: true,
      get delayMs() {
        next.script = wholeAnswer('second')
        return 0
      },
    }
  }
  const answer = await harness.post(BODY, bearer(key))
  assert.equal(await answer.text(), '"second"')
  assert.match(answer.headers.get('x-assay-route') ?? '', /attempt=2$/)
  assert.equal(harness.node.requests.length + other.requests.length, 2)
  await until(() => harness.chain.state.accounts.get(id)?.spent === 5n)
  await other.close()
})

test('a grant that is revoked while its call runs is not charged for a new one, and money paid in counts at once', async () => {
  const harness = await start()
  const { key, id } = await grantOn(harness, {}, 3n)
  assert.equal(await codeOf(await harness.post(BODY, bearer(key))), '402 grant_exhausted')
  const account = harness.chain.state.accounts.get(id)
  if (account === undefined) throw new Error('it was opened above')
  account.funded = 10_000n
  assert.equal((await harness.post(BODY, bearer(key))).status, 200)
  // The gateway still remembers the account as it was; the chain says otherwise while the node is at work.
  harness.chain.state.accounts.set(id, { ...account, revokedAt: BigInt(Math.floor(Date.now() / 1000)) })
  assert.equal(await codeOf(await harness.post(BODY, bearer(key))), '402 grant_revoked')
  await until(() => harness.chain.state.accounts.get(id)?.spent === 5n)
})

test('Idempotency-Key: the same call under one key is debited once, and another key of the grant does not see it', async () => {
  const harness = await start()
  const { grant, key } = await grantOn(harness)
  const call = (by: string, body = BODY) =>
    harness.post(body, { authorization: `Bearer ${by}`, 'idempotency-key': 'order-1234567890' })
  const first = await call(key)
  const said = await first.text()
  assert.equal(first.status, 200, said)
  const second = await call(key)
  assert.equal(await second.text(), said)
  assert.equal(second.headers.get('x-assay-replayed'), 'true')
  assert.equal(second.headers.get('x-assay-receipt'), first.headers.get('x-assay-receipt'))
  const other = await call(key, `${BODY} `)
  assert.deepEqual([other.status, other.headers.get('x-should-retry')], [409, 'false'])
  const sibling = apiKeyOf(randomBytes(32))
  await register(harness, grant, sibling)
  const own = await call(sibling)
  assert.deepEqual([own.status, own.headers.get('x-assay-replayed')], [200, null])
  assert.equal(harness.node.requests.length, 2)
})

test('a gateway may limit how often and for how much one key calls, and says when it may again', async () => {
  const often = await start({ limits: { requestsPerMinute: 2 } })
  const { id, key } = await grantOn(often)
  const headers = { authorization: `Bearer ${key}` }
  for (let call = 0; call < 2; call++) assert.equal((await often.post(BODY, headers)).status, 200)
  const refused = await often.post(BODY, headers)
  assert.equal(refused.status, 429)
  assert.ok(Number(refused.headers.get('retry-after')) > 0)
  assert.match(await refused.text(), /"code":"allowance_spent"/)
  // Nothing of the deposit stays set aside for what was refused.
  const state = (await (await fetch(`${often.gateway.url}/v1/grants/${id}`)).json()) as { reserved: string }
  assert.equal(state.reserved, '0')
})
