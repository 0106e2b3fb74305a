/** Whoever forges a payment gets nothing by it, and takes nothing from whom he names. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { generatePaymentId } from '@x402/extensions/payment-identifier'
import { errorOf } from './answers.ts'
import { BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

const ROUNDS = 5

let harness: Harness
let payer: ReturnType<Harness['payer']>
before(async () => {
  harness = await startHarness({ limits: { requestsPerMinute: ROUNDS } })
})
after(() => harness.close())
beforeEach(async () => {
  payer = harness.payer('exact')
  harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{"n":1}') }
})

/** The same payment as somebody else signs it. */
async function forge(good: Record<string, string>): Promise<Record<string, string>> {
  const decode = (headers: Record<string, string>) =>
    JSON.parse(Buffer.from(headers['PAYMENT-SIGNATURE'] ?? '', 'base64').toString()) as {
      payload: { signature: string }
    }
  const his = decode(good)
  his.payload.signature = decode(await harness.payFor(BODY, harness.payer('exact'))).payload.signature
  return { 'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(his)).toString('base64') }
}

async function assertRefused(answer: Response): Promise<void> {
  const said = await answer.clone().text()
  assert.equal(answer.status, 402, said)
  assert.equal((await errorOf(answer)).code, 'payment_signature', said)
  assert.ok(answer.headers.has('payment-required'))
}

test('a forgery reaches no node, and spends neither the payment nor the calls that its payer has in a minute', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const good = await harness.payFor(BODY, payer)
    const asked = harness.node.requests.length
    await assertRefused(await harness.post(BODY, await forge(good)))
    assert.equal(harness.node.requests.length, asked)
    const answer = await harness.post(BODY, good)
    assert.equal(answer.status, 200, await answer.text())
  }
  const beyond = await harness.post(BODY, await harness.payFor(BODY, payer))
  assert.equal(beyond.status, 429, await beyond.text())
})

test('an answer that is kept under a name of the payer is given to nobody who forges his payment', async () => {
  const name = generatePaymentId()
  const first = await harness.post(BODY, await harness.payFor(BODY, payer, name))
  assert.equal(first.status, 200, await first.text())
  await assertRefused(await harness.post(BODY, await forge(await harness.payFor(BODY, payer, name))))
  const again = await harness.post(BODY, await harness.payFor(BODY, payer, name))
  assert.equal(again.headers.get('x-assay-replayed'), 'true')
})
