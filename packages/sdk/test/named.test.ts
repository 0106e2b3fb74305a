import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { assayFetch, createAssay, SdkError, spendingLimit } from '../src/index.ts'
import { manifest, messages, stubForTests } from './stubNetwork.ts'

const stub = await stubForTests()
const options = () => ({ network: stub.network, chain: stub.chain, privateKey: stub.payerKey })
const asked = { model: manifest.name, messages, wait: 'answer' } as const

for (const stream of [false, true]) {
  test(`a named request that is sent again has the answer that it had, verified (stream: ${stream})`, async () => {
    const spending = spendingLimit({ maxPerDay: 1_000_000n })
    const { llm } = createAssay({ ...options(), spending })
    const ask = (idempotencyKey: string) => llm.chat({ ...asked, stream, idempotencyKey })
    const name = randomUUID()
    const first = await ask(name)
    const spent = spending.spent()
    const again = await ask(name)
    assert.deepEqual(again.chatOutput, first.chatOutput)
    assert.equal(again.receipt.requestId, first.receipt.requestId)
    assert.equal(again.report.ok, true)
    assert.match(again.report.trust, /request not signed by payer/)
    // The gateway holds a second payment, and only says that it takes nothing of it.
    assert.equal(spending.spent(), spent + 5_000n)
    const other = await ask(randomUUID())
    assert.notEqual(other.receipt.requestId, first.receipt.requestId)
  })
}

test('the answer to an earlier request of the same words is withheld from one of another name, or of none', async () => {
  const { llm } = createAssay(options())
  stub.tamper = { replaysFirst: true }
  await llm.chat({ ...asked, idempotencyKey: randomUUID() })
  for (const idempotencyKey of [randomUUID(), undefined]) {
    await assert.rejects(llm.chat({ ...asked, idempotencyKey }), (error) => {
      assert.ok(error instanceof SdkError)
      assert.equal(error.code, 'verification_failed')
      assert.match(String(error.facts.disagrees), /requestHash/)
      return true
    })
  }
})

test('a named request whose answer never came may be sent again, and its error says so', async () => {
  const { llm } = createAssay(options())
  stub.tamper = { beforeEnd: () => Promise.reject(new Error('the connection breaks')) }
  const lost = await llm
    .chat({ ...asked, stream: true, idempotencyKey: randomUUID() })
    .catch((error: unknown) => error)
  assert.ok(lost instanceof SdkError)
  assert.equal(lost.code, 'outcome_unknown')
  assert.match(String(lost.next), /again under the same name/)
})

test('a name for an encrypted request is refused before anything is sent', async () => {
  const { unpaid } = stub.seen
  const sealed = assayFetch({ ...options(), confidential: true })
  const sent = sealed(`${stub.network.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID() },
    body: JSON.stringify({ model: manifest.name, messages }),
  })
  await assert.rejects(sent, (error) => error instanceof SdkError && error.code === 'not_confidential')
  assert.equal(stub.seen.unpaid, unpaid)
})
