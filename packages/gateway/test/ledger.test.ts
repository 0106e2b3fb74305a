/** What one balance may back beside what is open: it never pays for two answers where it reaches for one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { errorOf } from './answers.ts'
import { BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

/** A gateway whose payments wait to be collected for as long as it runs. */
async function startUncollecting(): Promise<Harness> {
  const harness = await startHarness()
  harness.chain.collect = async () => {
    throw new AssayError('The chain does not answer.', { code: 'unreachable' })
  }
  harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{}') }
  return harness
}

/** Payments of one payer, each for one `BODY`, whose balance is to reach for so many of them at their highest price. */
async function paymentsFor(harness: Harness, { count, reach }: { count: number; reach: bigint }) {
  const payer = harness.payer('exact')
  const payments: Record<string, string>[] = []
  for (let at = 0; at < count; at++) payments.push(await harness.payFor(BODY, payer))
  const { accepted } = JSON.parse(atob(Object.values(payments[0] ?? {})[0] ?? '')) as {
    accepted: { amount: string }
  }
  harness.chain.balances.set(payer.address.toLowerCase(), reach * BigInt(accepted.amount))
  return payments
}

async function outcomeOf(response: Response): Promise<[number, string?]> {
  return response.status === 200 ? [200] : [response.status, (await errorOf(response)).code]
}

test('a payment that is shown again does not free the money that it is to take, and is not asked for it twice', async () => {
  const harness = await startUncollecting()
  try {
    const [first, second, third] = await paymentsFor(harness, { count: 3, reach: 2n })
    const ask = async (payment: Record<string, string> | undefined) =>
      outcomeOf(await harness.post(BODY, payment))
    assert.deepEqual(await ask(first), [200])
    assert.deepEqual(await ask(first), [409, 'payment_used'])
    assert.deepEqual(await ask(second), [200])
    // Nothing is left of the balance, which does not make of a used payment one that lacks money.
    assert.deepEqual(await ask(first), [409, 'payment_used'])
    assert.deepEqual(await ask(third), [402, 'insufficient_funds'])
    assert.equal(harness.node.requests.length, 2)
  } finally {
    await harness.close()
  }
})
