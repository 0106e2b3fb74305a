import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodePaymentRequiredHeader } from '@x402/core/http'
import { errorOf } from './answers.ts'
import { BODY, CONTRACTS, TILL } from './fixtures.ts'
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

for (const scheme of ['exact', 'upto'] as const) {
  test(`a stock ${scheme} payment verifies, and fails for one who cannot pay`, async () => {
    const verify = async (balance: bigint) => {
      const unpaid = await harness.post(BODY)
      await unpaid.arrayBuffer()
      const header = Object.values(await harness.payer(scheme, balance).sign(unpaid))[0] ?? ''
      const paymentPayload = JSON.parse(Buffer.from(header, 'base64').toString())
      const answer = await fetch(`${harness.gateway.url}/facilitator/verify`, {
        method: 'POST',
        body: JSON.stringify({
          x402Version: 2,
          paymentPayload,
          paymentRequirements: paymentPayload.accepted,
        }),
      })
      return (await answer.json()) as { isValid: boolean; invalidReason?: string }
    }
    assert.equal((await verify(10n ** 20n)).isValid, true)
    assert.deepEqual((await verify(1n)).invalidReason, 'insufficient_funds')
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
