import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PAYMENT_MARGIN_SECONDS } from '@assay/verify'
import { until } from '../../../test/until.ts'
import { errorOf } from './answers.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import type { Script } from './stubNode.ts'

const chunk = new TextEncoder().encode('data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n')
/** A node that says a word and then nothing more. */
const silent: Script = { kind: 'stream', chunks: [chunk], pause: new Promise<void>(() => {}) }
/** Seconds that a payment is signed for: as many as one has to be good for, and a minute to come in. */
const SHORT = Number(PAYMENT_MARGIN_SECONDS) + 60

let harness: Harness
before(async () => {
  // Two to three seconds are left for an answer.
  harness = await startHarness({
    limits: { collectMs: (SHORT - 3) * 1000, recoverMs: 5000, maxAnswerBytes: 64 * 1024 * 1024 },
  })
})
after(() => harness.close())

/** Signs for the offer of a 402, but not for as long as that asks for. */
async function payBriefly(body: string, scheme: 'exact' | 'upto'): Promise<Record<string, string>> {
  const unpaid = await harness.post(body)
  const required = JSON.parse(Buffer.from(unpaid.headers.get('payment-required') ?? '', 'base64').toString())
  for (const offer of required.accepts) offer.maxTimeoutSeconds = SHORT
  const header = Buffer.from(JSON.stringify(required)).toString('base64')
  const brief = new Response(await unpaid.text(), { status: 402, headers: { 'payment-required': header } })
  return harness.payer(scheme).sign(brief)
}

/** A stream that has begun. What is left for one may be over before that where this machine has others to serve. */
function begin(scheme: 'exact' | 'upto'): Promise<Response> {
  return until(async () => {
    const response = await harness.post(STREAM_BODY, await payBriefly(STREAM_BODY, scheme))
    if (response.status === 200) return response
    assert.deepEqual([response.status, (await errorOf(response)).code], [504, 'out_of_time'])
    return undefined
  })
}

/** State and price of a request's receipt. */
async function receiptOf(requestId: string) {
  const answer = await fetch(`${harness.gateway.url}/v1/receipts/${requestId}`)
  return (await answer.json()) as { payment: { state: string } | null; receipt: { price: string } | null }
}

for (const scheme of ['exact', 'upto'] as const) {
  test(`a stream ends while what was sent of it can still be collected (${scheme})`, async () => {
    harness.node.script = silent
    const response = await begin(scheme)
    const text = await response.text()
    assert.match(text, /Hel/)
    assert.match(text, /"code":"out_of_time"/)
    assert.doesNotMatch(text, /\[DONE\]/)
    const requestId = response.headers.get('x-assay-request-id') ?? ''
    await until(async () => (await receiptOf(requestId)).payment?.state === 'locked')
    assert.equal((await receiptOf(requestId)).receipt?.price, '2')
  })
}

test('who reads too slowly does not outlast his payment', async () => {
  // More than the sockets between take in.
  const big = new TextEncoder().encode(`data: ${'x'.repeat(32 * 1024 * 1024)}\n\n`)
  harness.node.script = { ...silent, chunks: [big] }
  const response = await begin('exact')
  const requestId = response.headers.get('x-assay-request-id') ?? ''
  // Nothing is read until the receipt is there.
  await until(async () => (await receiptOf(requestId)).payment?.state === 'locked')
  await assert.rejects(response.text())
})

test('a whole answer that does not come in time is an error, and costs nothing', async () => {
  harness.node.script = { kind: 'whole', work: new Promise<void>(() => {}) }
  const response = await harness.post(BODY, await payBriefly(BODY, 'exact'))
  assert.equal(response.status, 504)
  assert.equal((await errorOf(response)).code, 'out_of_time')
})

test('no answer takes longer than any may, however long it is paid for', async () => {
  const hurried = await startHarness({ limits: { maxAnswerMs: 300, recoverMs: 5000 } })
  try {
    hurried.node.script = silent
    const response = await hurried.post(STREAM_BODY, await hurried.payFor(STREAM_BODY))
    assert.match(await response.text(), /"code":"out_of_time"/)
  } finally {
    await hurried.close()
  }
})
