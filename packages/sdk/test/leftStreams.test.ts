import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { STATUS } from '@assay/protocol'
import { assayFetch, createAssay, SdkError, spendingLimit } from '../src/index.ts'
import { manifest, messages, stubForTests } from './stubNetwork.ts'

const stub = await stubForTests()
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const options = () => ({ network: stub.network, chain: stub.chain, privateKey: stub.payerKey })

test('an answer that its caller had stopped is good as far as it goes', async () => {
  const stopped = Promise.withResolvers<void>()
  stub.tamper = {
    receipt: (receipt) => ({ ...receipt, status: STATUS.cancelled }),
    beforeEnd: () => stopped.promise,
  }
  const paid = assayFetch(options())
  const response = await paid(`${stub.network.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: manifest.name, messages, stream: true }),
  })
  const requestId = response.headers.get('x-assay-request-id')
  await paid(`${stub.network.gatewayUrl}/v1/requests/${requestId}/stop`, { method: 'POST' })
  stopped.resolve()
  assert.match(await response.text(), /\[DONE\]/)
})

for (const wait of ['answer', 'settled'] as const) {
  test(`a stream that is left by its signal ends there, and its result still comes (wait: ${wait})`, async () => {
    const left = Promise.withResolvers<void>()
    stub.tamper = { beforeEnd: () => left.promise }
    const leaving = new AbortController()
    const { signal } = leaving
    const { llm } = createAssay(options())
    const asked = { model: manifest.name, messages, wait, waitMilliseconds: 0, signal }
    const stream = await llm.stream(asked)
    const reading = async () => {
      for await (const _text of stream) {
        leaving.abort(new Error('enough'))
        left.resolve()
      }
    }
    await assert.rejects(reading(), /enough/)
    if (wait === 'answer') {
      const { receipt, chatOutput } = await stream.result
      assert.ok(receipt.price > 0n)
      assert.match(chatOutput.content, /^Par/)
      return
    }
    // The stub settles nothing: what is told is that, and not the reason for leaving.
    await assert.rejects(
      stream.result,
      (error) => error instanceof SdkError && error.code === 'gateway_error',
    )
  })
}

test('a stream that is left has its checked answer without any wait behind it', async () => {
  const left = Promise.withResolvers<void>()
  stub.tamper = { beforeEnd: () => left.promise }
  const paidAs: unknown[] = []
  const { llm } = createAssay(options())
  const asked = { model: manifest.name, messages, wait: 'final' } as const
  const stream = await llm.stream({ ...asked, onPaid: (requestId) => paidAs.push(requestId) })
  for await (const _text of stream) {
    left.resolve()
    break
  }
  const { bundle } = await stream.verified
  assert.deepEqual(paidAs, [bundle.receipt.requestId], 'known before the answer was')
})

test('a call that is left while its payment is signed pays nothing', async () => {
  const leaving = new AbortController()
  const chain = {
    ...stub.chain,
    permit2Allowance: async () => {
      leaving.abort(new Error('enough'))
      return 10n ** 30n
    },
  }
  const spending = spendingLimit({ maxPerDay: 10n ** 18n })
  const { llm } = createAssay({ ...options(), chain, spending })
  const onPaid = () => assert.fail('nothing went out')
  const asked = { model: manifest.name, messages, signal: leaving.signal, onPaid }
  await assert.rejects(llm.chat(asked), /enough/)
  assert.deepEqual([stub.seen.paid, spending.spent()], [0, 0n])
})

test('who stops a whole answer while it is verified is told of it, and does not wait behind it', async () => {
  const reason = new SdkError('enough', { code: 'cancelled' })
  const leaving = new AbortController()
  const { llm } = createAssay(options())
  const onVerified = () => leaving.abort(reason)
  const asked = { model: manifest.name, messages, signal: leaving.signal, onVerified }
  await assert.rejects(llm.chat(asked), (error) => error === reason)
  assert.deepEqual(reason.answer?.output, { role: 'assistant', content: 'Paris.' })
})

test('a stream that is left by its signal before anybody reads it has a result too', async () => {
  const left = Promise.withResolvers<void>()
  stub.tamper = { beforeEnd: () => left.promise }
  const leaving = new AbortController()
  const { llm } = createAssay(options())
  const asked = { model: manifest.name, messages, wait: 'answer', signal: leaving.signal } as const
  const stream = await llm.stream(asked)
  leaving.abort(new Error('enough'))
  left.resolve()
  const { chatOutput, receipt } = await stream.result
  assert.equal(chatOutput.content, '', 'nothing of it was seen')
  assert.ok(receipt.price > 0n)
})

test('a stream whose reader of texts fails is left as any other, not held open unread', {
  timeout: 20_000,
}, async () => {
  // More than what is read ahead of a reader.
  const event = `data: {"choices":[{"delta":{"content":"${'Par'.repeat(1000)}"}}]}\n\n`
  const left = Promise.withResolvers<void>()
  stub.tamper = { streams: event.repeat(400), beforeEnd: () => left.promise }
  const verified = Promise.withResolvers<void>()
  const { llm } = createAssay(options())
  const call = llm.chat({
    model: manifest.name,
    messages,
    stream: true,
    wait: 'answer',
    onText() {
      left.resolve()
      throw new Error('the window is gone')
    },
    onVerified: () => verified.resolve(),
  })
  await assert.rejects(call, /the window is gone/)
  await verified.promise
})

test('the result of a stream that had failed before it was left is that failure', async () => {
  const seen = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<void>()
  stub.tamper = {
    body: (bytes) => Buffer.from(Buffer.from(bytes).toString().replace('is.', 'iz.')),
    beforeEnd: () => seen.promise,
    brokenOff: failed.resolve,
  }
  const { llm } = createAssay(options())
  const stream = await llm.stream({ model: manifest.name, messages, wait: 'answer' })
  const leave = async () => {
    for await (const _text of stream) {
      seen.resolve()
      // The rest is read ahead of its reader, and breaks off what failed.
      await failed.promise
      break
    }
  }
  const altered = (error: unknown) => error instanceof SdkError && error.code === 'verification_failed'
  await assert.rejects(leave(), altered)
  await assert.rejects(stream.result, altered)
})

for (const form of ['a URL', 'a Request'] as const) {
  test(`a stream asked for with ${form} heeds its signal after the garbage was collected too`, async () => {
    const held = Promise.withResolvers<void>()
    stub.tamper = { beforeEnd: () => held.promise }
    const leaving = new AbortController()
    const url = `${stub.network.gatewayUrl}/v1/chat/completions`
    const init = {
      method: 'POST',
      body: JSON.stringify({ model: manifest.name, messages, stream: true }),
      signal: leaving.signal,
    }
    const fetch = assayFetch(options())
    const answer = await (form === 'a URL' ? fetch(url, init) : fetch(new Request(url, init)))
    // It collects in turns of the event loop of its own: what nothing holds is gone after a few.
    for (let round = 0; round < 5; round++) {
      await new Promise((next) => setImmediate(next))
      collectGarbage()
    }
    const rest = answer.text()
    leaving.abort(new Error('enough'))
    held.resolve()
    await assert.rejects(rest, /enough/)
  })
}
