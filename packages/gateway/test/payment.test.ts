import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodePaymentRequiredHeader, HTTPFacilitatorClient } from '@x402/core/http'
import { extractDiscoveryInfoFromExtension, withBazaar } from '@x402/extensions/bazaar'
import { until } from '../../../test/until.ts'
import { errorOf } from './answers.ts'
import { BODY, CONTRACTS, MODEL, TILL } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

let harness: Harness
before(async () => {
  harness = await startHarness()
})
after(() => harness.close())

test('the 402 is one that the stock x402 client reads, quoting the most the request can cost', async () => {
  const response = await harness.post(BODY)
  assert.equal(response.status, 402)
  assert.equal((await errorOf(response)).code, 'payment_required')
  const required = decodePaymentRequiredHeader(response.headers.get('PAYMENT-REQUIRED') ?? '')
  assert.equal(required.x402Version, 2)
  assert.deepEqual(
    required.accepts.map((offer) => [offer.scheme, offer.extra.assetTransferMethod]),
    [
      ['upto', 'permit2'],
      ['exact', 'eip3009'],
    ],
  )
  for (const offer of required.accepts) {
    assert.equal(offer.payTo.toLowerCase(), TILL)
    assert.equal(offer.asset.toLowerCase(), CONTRACTS.OPG)
    assert.equal(offer.network, 'eip155:31337')
    // perCall 1, input 1 per byte and 64 for the template, output 2 for each of 8 tokens.
    assert.equal(offer.amount, String(1 + BODY.length + 64 + 2 * 8))
  }
})

/** What the gateway's facilitator says of a payment that a stock client signed. */
async function verify(payment: Record<string, string>) {
  const paymentPayload = JSON.parse(Buffer.from(Object.values(payment)[0] ?? '', 'base64').toString())
  const answer = await fetch(`${harness.gateway.url}/facilitator/verify`, {
    method: 'POST',
    body: JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: paymentPayload.accepted }),
  })
  return (await answer.json()) as { isValid: boolean; invalidReason?: string }
}

for (const scheme of ['exact', 'upto'] as const) {
  test(`a stock ${scheme} payment verifies until it is used, and fails for one who cannot pay`, async () => {
    harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
    const good = await harness.payFor(BODY, harness.payer(scheme, 10n ** 20n))
    assert.deepEqual((await verify(good)).isValid, true)
    assert.equal((await harness.post(BODY, good)).status, 200)
    assert.deepEqual((await verify(good)).invalidReason, 'payment_used')
    const poor = await harness.payFor(BODY, harness.payer(scheme, 1n))
    assert.deepEqual((await verify(poor)).invalidReason, 'insufficient_funds')
  })
}

test('Permit2 without an allowance is told so', async () => {
  harness.chain.allowance = 0n
  const response = await harness.post(BODY, await harness.payFor(BODY))
  assert.equal(response.status, 402)
  assert.equal((await errorOf(response)).code, 'permit2_allowance')
  harness.chain.allowance = 10n ** 30n
})

test('a payment for a cheaper request does not pay for a dearer one', async () => {
  const dear = JSON.stringify({ ...JSON.parse(BODY), max_tokens: 60 })
  const response = await harness.post(dear, await harness.payFor(BODY))
  assert.equal(response.status, 402)
  assert.equal((await errorOf(response)).code, 'payment_amount')
})

test('the facilitator says what it takes, the well-known page whom to pay', async () => {
  const supported = (await (await fetch(`${harness.gateway.url}/facilitator/supported`)).json()) as {
    kinds: { scheme: string }[]
  }
  assert.deepEqual(
    supported.kinds.map((kind) => kind.scheme),
    ['upto', 'exact'],
  )
  const known = (await (await fetch(`${harness.gateway.url}/.well-known/x402`)).json()) as {
    accepts: { payTo: string }[]
  }
  assert.equal(known.accepts[0]?.payTo.toLowerCase(), TILL)
})

test('a stock x402 client finds what is sold here in the bazaar, by list and by search', async () => {
  const { bazaar } = withBazaar(
    new HTTPFacilitatorClient({ url: `${harness.gateway.url}/facilitator` }),
  ).extensions
  const { items, pagination } = await bazaar.listResources({ type: 'http', limit: 2 })
  assert.deepEqual([items.length, pagination.limit, pagination.total], [2, 2, 6])
  for (const item of items) {
    const info = extractDiscoveryInfoFromExtension(item.extensions?.bazaar as never)
    assert.equal((info.input as { method?: string }).method, 'POST')
  }
  const { resources } = await bazaar.search({ query: `anthropic ${MODEL.name}`, scheme: 'exact' })
  assert.deepEqual(
    resources.map(({ resource }) => new URL(resource).pathname),
    ['/v1/messages'],
  )
  const [found] = resources
  // What it says that the example costs is what is asked for it.
  const { input } = extractDiscoveryInfoFromExtension(found?.extensions?.bazaar as never)
  const unpaid = await fetch(`${harness.gateway.url}/v1/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(input as { headers: Record<string, string> }).headers,
    },
    body: JSON.stringify((input as { body: unknown }).body),
  })
  const asked = decodePaymentRequiredHeader(unpaid.headers.get('PAYMENT-REQUIRED') ?? '')
  assert.equal(asked.accepts[0]?.amount, found?.accepts[0]?.amount)
  assert.deepEqual((await bazaar.search({ query: 'no such thing' })).resources, [])
  assert.deepEqual((await bazaar.listResources({ payTo: CONTRACTS.OPG })).items, [])
})

test('a quote says, for nothing, what a call costs at most and who would answer; a refusal is the one that the call would get', async () => {
  const ask = (body: string, query = '', headers: Record<string, string> = {}) =>
    fetch(`${harness.gateway.url}/v1/quotes${query}`, { method: 'POST', body, headers })
  const quoted = (await (await ask(BODY)).json()) as {
    maximum: string
    route: { mode: string }
    accepts: { amount: string }[]
  }
  const unpaid = await harness.post(BODY)
  const offer = decodePaymentRequiredHeader(unpaid.headers.get('PAYMENT-REQUIRED') ?? '')
  assert.equal(quoted.maximum, offer.accepts[0]?.amount)
  assert.equal(quoted.accepts[0]?.amount, quoted.maximum)
  assert.equal(quoted.route.mode, 'tee')
  for (const [response, code] of [
    [await ask('{"model":"gpt-9","messages":[]}'), 'model_not_found'],
    [await ask(BODY, '?path=/nope'), 'invalid_path'],
    [await ask(BODY, '', { 'x-assay-verification': 'zk' }), 'unsupported_mode'],
  ] as const) {
    assert.equal((await errorOf(response)).code, code)
  }
})

test('the three outcomes of a payment: pending with the hash of what was broadcast, settled, failed and what came back', async () => {
  type Payment = {
    outcome: string
    state: string
    taken: string
    returned: string
    authorised: string
    transactionHash: string | null
    refundTransactionHash: string | null
  }
  const paymentOf = async (requestId: string) =>
    (
      (await (await fetch(`${harness.gateway.url}/v1/receipts/${requestId}`)).json()) as {
        payment: Payment | null
      }
    ).payment
  const { chain, node } = harness
  node.script = { kind: 'whole', body: new TextEncoder().encode('{}'), price: 7n }
  const { collect } = chain
  let mine = (): void => {}
  const mined = new Promise<void>((resolve) => {
    mine = resolve
  })
  chain.collect = async (items, onBroadcast) => {
    onBroadcast?.(`0x${'ab'.repeat(32)}`)
    await mined
    return collect(items)
  }
  const response = await harness.post(BODY, await harness.payFor(BODY, harness.payer('exact')))
  const requestId = response.headers.get('x-assay-request-id') ?? ''
  const pending = await until(async () => {
    const payment = await paymentOf(requestId)
    return payment?.transactionHash === `0x${'ab'.repeat(32)}` && payment
  })
  assert.deepEqual([pending.outcome, pending.state, pending.taken], ['pending', 'submitted', '0'])
  chain.collect = collect
  mine()
  const settled = await until(async () => {
    const payment = await paymentOf(requestId)
    return payment?.outcome === 'settled' && payment
  })
  assert.equal(settled.taken, settled.authorised)
  assert.equal(BigInt(settled.returned), BigInt(settled.authorised) - 7n)

  const { settle } = chain
  chain.settle = async (items) => ({
    transactionHash: `0x${'0e'.repeat(32)}`,
    skipped: new Map(items.map(({ entry }) => [entry.receipt.requestId, 'DisagreesWithRequestAuth'])),
  })
  const refused = await harness.post(BODY, await harness.payFor(BODY))
  const refunded = await until(async () => {
    const payment = await paymentOf(refused.headers.get('x-assay-request-id') ?? '')
    return payment?.state === 'refunded' && payment
  })
  chain.settle = settle
  assert.deepEqual([refunded.outcome, refunded.taken, refunded.returned], ['failed', '7', '7'])
  assert.match(refunded.refundTransactionHash ?? '', /^0x[0-9a-f]{64}$/)
})
