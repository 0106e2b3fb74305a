import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeReceiptHeader, type SignedReceipt } from '@assay/protocol'
import fc from 'fast-check'
import { SdkError } from '../src/errors.ts'
import { sseGuard } from '../src/sseGuard.ts'

const hash = `0x${'11'.repeat(32)}` as const
const address = `0x${'22'.repeat(20)}` as const
const signed: SignedReceipt = {
  receipt: {
    version: 1,
    requestId: hash,
    payer: address,
    node: address,
    key: address,
    seq: 1n,
    committer: address,
    includeBy: 1n,
    modelId: hash,
    priceVersion: 1n,
    engineClass: 0,
    mode: 1,
    status: 0,
    requestHash: hash,
    responseHash: hash,
    evidenceHash: hash,
    inputUnits: 1n,
    outputUnits: 1n,
    price: 1n,
    valueAtRisk: 1n,
    anchorBlock: 1n,
    anchorHash: hash,
    issuedAt: 1n,
  },
  signature: `0x${'33'.repeat(65)}`,
}
const first = 'data: {"choices":[{"delta":{"content":"Paris"}}]}\n\n'
const second = 'data: {"choices":[{"delta":{"content":"."}}]}\n\n'
const comment = `: assay-receipt ${encodeReceiptHeader(signed)}\n`
const done = 'data: [DONE]\n\n'

/** A source cut into the given pieces; it stays open behind them unless `close`. */
function sourceOf(pieces: readonly string[], close = true): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece))
      if (close) controller.close()
    },
  })
}

async function drain(stream: ReadableStream<Uint8Array>): Promise<{ text: string; error: unknown }> {
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const part of stream) text += decoder.decode(part, { stream: true })
    return { text, error: undefined }
  } catch (error) {
    return { text, error }
  }
}

test('passes a stream through unchanged and verifies its body without comments', async () => {
  let body = ''
  const guarded = sseGuard(sourceOf([first, ': keep-alive\n', second, comment, done]), {
    buffer: false,
    async verify(bytes, receipt) {
      body = new TextDecoder().decode(bytes)
      assert.deepEqual(receipt, signed)
    },
  })
  const { text, error } = await drain(guarded)
  assert.equal(error, undefined)
  assert.equal(text, `${first}: keep-alive\n${second}${comment}${done}`)
  assert.equal(body, first + second + done)
})

test('ends at the terminal event although the connection stays open', async () => {
  const guarded = sseGuard(sourceOf([first + comment + done], false), { buffer: false, async verify() {} })
  assert.equal((await drain(guarded)).error, undefined)
})

test('raises a failed check before the terminal event is seen', async () => {
  const failure = new SdkError('altered', { code: 'verification_failed' })
  const guarded = sseGuard(sourceOf([first, comment, done]), {
    buffer: false,
    verify: () => Promise.reject(failure),
  })
  const { text, error } = await drain(guarded)
  assert.equal(error, failure)
  assert.equal(text, first)
})

test('with buffer, a failed check lets no content through', async () => {
  const guarded = sseGuard(sourceOf([first, second, comment, done]), {
    buffer: true,
    verify: () => Promise.reject(new SdkError('altered', { code: 'verification_failed' })),
  })
  const { text, error } = await drain(guarded)
  assert.ok(error instanceof SdkError)
  assert.equal(text, '')
})

test('knows the end of every dialect, also of an answer that failed', async () => {
  const ends = [
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    'event: response.completed\ndata: {"type":"response.completed","response":{"id":"r"}}\n\n',
    'event: response.incomplete\ndata: {"type":"response.incomplete"}\n\n',
    'event: response.failed\ndata: {"type":"response.failed"}\n\n',
    'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"m"}}\n\n',
  ]
  for (const end of ends) {
    let body = ''
    const verify = async (bytes: Uint8Array) => {
      body = new TextDecoder().decode(bytes)
    }
    const passed = await drain(sseGuard(sourceOf([first, comment, end], false), { buffer: false, verify }))
    assert.deepEqual(passed, { text: first + comment + end, error: undefined })
    assert.equal(body, first + end)
    const failing = {
      buffer: false,
      verify: () => Promise.reject(new SdkError('x', { code: 'verification_failed' })),
    }
    const withheld = await drain(sseGuard(sourceOf([first, comment, end], false), failing))
    assert.equal(withheld.text, first)
  }
})

test('a gateway cannot end a stream for the client and not for us', async () => {
  const ends = [
    'data:[DONE]\n\n',
    'data: [DONE] \n\n',
    'data: [DONE]junk\n\n',
    'data:{"type":"message_stop"}\n\n',
    'data: {"x":1, "type" : "message_stop"}\n\n',
    'data: {"\\u0074ype":"message_\\u0073top"}\n\n',
    'data: {"type":\ndata: "message_stop"}\n\n',
    'event: anything\nid: 1\ndata: {"response":{"a":[]},"type":"response.completed"}\n\n',
    'data: x\rdata: [DONE]\r\r\n\n',
  ]
  for (const end of ends) {
    const { text, error } = await drain(
      sseGuard(sourceOf([first, end]), { buffer: false, async verify() {} }),
    )
    assert.ok(error instanceof SdkError, end)
    assert.equal(text, first, end)
  }
})

test("a gateway's own error event passes without a receipt, and the stream still fails", async () => {
  const refusal = 'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"m"}}\n\n'
  const { text, error } = await drain(
    sseGuard(sourceOf([first, refusal]), { buffer: false, async verify() {} }),
  )
  assert.equal(text, first + refusal)
  assert.ok(error instanceof SdkError && error.code === 'receipt_missing')
})

const endings: { name: string; pieces: string[]; code: string }[] = [
  { name: 'no receipt', pieces: [first, done], code: 'receipt_missing' },
  { name: 'no terminal event', pieces: [first, comment], code: 'receipt_missing' },
  { name: 'cut inside the terminal event', pieces: [first, comment, 'data: [DO'], code: 'receipt_missing' },
  {
    name: 'a receipt that is not one',
    pieces: [first, ': assay-receipt AAAA\n', done],
    code: 'verification_failed',
  },
  { name: 'the receipt behind the end', pieces: [first, done, comment], code: 'receipt_missing' },
]
for (const { name, pieces, code } of endings) {
  test(`refuses a stream with ${name}`, async () => {
    const { text, error } = await drain(sseGuard(sourceOf(pieces), { buffer: false, async verify() {} }))
    assert.ok(error instanceof SdkError)
    assert.equal(error.code, code)
    assert.ok(!text.includes('[DONE]'))
  })
}

test('drops bytes behind the terminal event, which nothing signs', async () => {
  const { text } = await drain(
    sseGuard(sourceOf([`${first + comment + done}data: {"choices":[]}\n\n`]), {
      buffer: false,
      async verify() {},
    }),
  )
  assert.equal(text, first + comment + done)
})

test('gives the same result however the bytes are cut', async () => {
  const whole = first + comment + done
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 12 }),
      async (cuts) => {
        const places = [0, ...[...cuts].sort((a, b) => a - b), whole.length]
        const pieces = places.slice(1).map((end, at) => whole.slice(places[at], end))
        let body = ''
        const guarded = sseGuard(sourceOf(pieces), {
          buffer: false,
          async verify(bytes) {
            body = new TextDecoder().decode(bytes)
          },
        })
        assert.deepEqual(await drain(guarded), { text: whole, error: undefined })
        assert.equal(body, first + done)
      },
    ),
    { numRuns: 50 },
  )
})

/** A stream that goes on until it is stopped, and what was made of it. */
function leftStream(parameters: {
  stop: boolean
  tail?: readonly string[]
  open?: boolean
  fails?: boolean
}) {
  const controllerReady = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>()
  const over = Promise.withResolvers<unknown>()
  let cancelled = false
  let verified = ''
  const bytes = (text: string) => new TextEncoder().encode(text)
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes(first))
      controllerReady.resolve(controller)
    },
    cancel() {
      cancelled = true
    },
  })
  const aborting = new AbortController()
  const guarded = sseGuard(source, {
    async verify(body) {
      if (parameters.fails === true) throw new SdkError('No.', { code: 'verification_failed' })
      verified = new TextDecoder().decode(body)
      over.resolve(undefined)
    },
    buffer: false,
    signal: aborting.signal,
    async stop() {
      const controller = await controllerReady.promise
      for (const piece of parameters.tail ?? [second, comment + done]) controller.enqueue(bytes(piece))
      if (parameters.tail !== undefined && parameters.open !== true) controller.close()
      return parameters.stop
    },
    onUnverified: (error) => over.resolve(error),
  })
  return { guarded, aborting, over: over.promise, state: () => ({ cancelled, verified }) }
}

for (const how of ['by a cancel', 'by its signal'] as const) {
  test(`a stream that is left ${how} is stopped, read to its end unseen, and verified`, async () => {
    const { guarded, aborting, over, state } = leftStream({ stop: true })
    const reader = guarded.getReader()
    const { value } = await reader.read()
    assert.equal(new TextDecoder().decode(value), first)
    if (how === 'by a cancel') await reader.cancel()
    else {
      aborting.abort(new Error('enough'))
      await assert.rejects(reader.read(), /enough/)
    }
    assert.equal(await over, undefined)
    assert.equal(state().verified, first + second + done)
  })
}

test('a stream that was over before it was left is read to its end: there was nobody to stop', async () => {
  const { guarded, over, state } = leftStream({ stop: false })
  const reader = guarded.getReader()
  await reader.read()
  await reader.cancel()
  assert.equal(await over, undefined)
  assert.equal(state().verified, first + second + done)
})

test('a stream that goes on, and that nobody can stop, is broken off', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const { guarded, over, state } = leftStream({ stop: false, tail: [second], open: true })
  const reader = guarded.getReader()
  await reader.read()
  await reader.cancel()
  await new Promise((soon) => setImmediate(soon))
  context.mock.timers.tick(1_000)
  const error = await over
  assert.ok(error instanceof SdkError && error.code === 'cancelled', String(error))
  assert.match(String(error.facts.reason), /Nobody took up/)
  assert.equal(state().cancelled, true)
})

const unproven = [
  { name: 'nobody takes up the wish to stop, and it breaks off', stop: false, tail: [second] },
  { name: 'its end is altered', stop: true, fails: true },
  { name: 'its end never comes', stop: true, tail: [second] },
  { name: 'its end carries no receipt', stop: true, tail: [second, done] },
]
for (const { name, ...parameters } of unproven) {
  test(`a stream that is left is said to be unverified where ${name}`, async () => {
    const { guarded, over, state } = leftStream(parameters)
    const reader = guarded.getReader()
    await reader.read()
    await reader.cancel()
    const error = await over
    assert.ok(error instanceof SdkError && error.code === 'cancelled', String(error))
    assert.equal(state().verified, '')
  })
}
