/** A model that thinks is silent for minutes: its stream says that it goes on, and nothing of that is signed. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import {
  BinaryResponseReader,
  CONFIDENTIAL_HEADERS,
  CONFIDENTIAL_PATH,
  concatBytes,
  decodeReceiptHeader,
  encapsulateRequest,
  encodeBinaryRequest,
  OHTTP_REQUEST_TYPE,
  REQUEST_AUTH_HEADER,
  responseHash,
  STATUS,
  stripSseComments,
} from '@assay/protocol'
import OpenAI from 'openai'
import { SMOLLM2_MODEL_ID } from '../src/models/smollm2.ts'
import { startWaiting } from '../src/server/waiting.ts'
import {
  chatBody,
  GATEWAY,
  hashOfRequest,
  MODEL,
  PATH,
  PAYER,
  type PaidAnswer,
  PLENTY,
  paidHeaders,
  payingFetch,
  payment,
  requestAuthHeader,
  type Script,
  startTestServer,
} from './harness.ts'
import { hello } from './upstreamNode.ts'

/** Resolves `twice` when the text shown has held two comments. */
function watcher() {
  const { promise: twice, resolve } = Promise.withResolvers<void>()
  let text = ''
  const seen = (bytes: Uint8Array): void => {
    text += new TextDecoder().decode(bytes)
    if (text.split(': waiting\n').length > 2) resolve()
  }
  return { seen, twice }
}

/** Says a word, and the next two when somebody has waited. */
const pausing =
  (twice: Promise<void>): Script =>
  async ({ onText }) => {
    onText('one', 1)
    await twice
    onText(' two', 2)
    onText(' three', 3)
    return { finish: 'stop', outputUnits: 3 }
  }

async function silentNode(t: TestContext) {
  const { seen, twice } = watcher()
  const node = await startTestServer({ script: pausing(twice), silenceMs: 20 })
  t.after(() => node.close())
  const answers: PaidAnswer[] = []
  // It checks each receipt against the bytes that came, their comments taken out.
  const fetch = payingFetch(node, answers, seen)
  const wire = () => new TextDecoder().decode(answers.at(-1)?.body)
  return {
    node,
    seen,
    wire,
    openai: new OpenAI({ apiKey: 'unused', baseURL: `${node.url}/v1`, maxRetries: 0, fetch }),
    anthropic: new Anthropic({ apiKey: 'unused', baseURL: node.url, maxRetries: 0, fetch }),
    receipt: () => answers.at(-1)?.receipt ?? assert.fail('no answer yet'),
  }
}

/** Comments stand between events, each with one line feed, and none where the stream ends. */
function checkWire(wire: string, terminal: string): void {
  assert.ok(wire.split(': waiting\n').length > 2, wire)
  assert.match(wire, /\n\n(?:: waiting\n)+(?:data|event): /)
  for (const [at, line] of wire.split('\n').entries()) {
    if (line !== ': waiting') continue
    const before = wire.split('\n')[at - 1]
    assert.ok(before === '' || before === ': waiting', `a comment inside an event: ${wire}`)
    assert.notEqual(wire.split('\n')[at + 1], '', `a blank line that would be signed: ${wire}`)
  }
  assert.ok(/: assay-receipt \S+\n(.*)$/s.exec(wire)?.[1]?.startsWith(terminal), wire)
  assert.ok(!wire.slice(wire.indexOf(': assay-receipt')).includes('waiting'), wire)
}

describe('a stream that is silent says that it goes on', { timeout: 30_000 }, () => {
  test('OpenAI’s clients read chat, completions and responses as ever', async (t) => {
    for (const kind of ['chat', 'completions', 'responses']) {
      const { openai, wire, receipt } = await silentNode(t)
      let said = ''
      if (kind === 'chat') {
        const final = await openai.chat.completions
          .stream({ model: MODEL, messages: hello })
          .finalChatCompletion()
        said = final.choices[0]?.message.content ?? ''
      } else if (kind === 'completions') {
        const stream = await openai.completions.create({ model: MODEL, prompt: 'Count', stream: true })
        for await (const chunk of stream) said += chunk.choices[0]?.text ?? ''
      } else {
        const final = await openai.responses.stream({ model: MODEL, input: 'Count' }).finalResponse()
        said = final.output_text
      }
      assert.equal(said, 'one two three')
      assert.deepEqual([receipt().status, receipt().outputUnits], [STATUS.complete, 3n])
      checkWire(wire(), kind === 'responses' ? 'event: response.completed' : 'data: [DONE]')
    }
  })

  test('Anthropic’s client reads a message as ever', async (t) => {
    const { anthropic, wire, receipt } = await silentNode(t)
    const final = await anthropic.messages
      .stream({ model: MODEL, max_tokens: 9, messages: hello })
      .finalMessage()
    assert.deepEqual(
      final.content.map((block) => block.type === 'text' && block.text),
      ['one two three'],
    )
    assert.equal(final.stop_reason, 'end_turn')
    assert.equal(receipt().status, STATUS.complete)
    checkWire(wire(), 'event: message_stop')
  })

  test('an encrypted one too: the comments are inside', async (t) => {
    const { node, seen } = await silentNode(t)
    const paid = await payment(PLENTY)
    const body = chatBody({ stream: true })
    const auth = await requestAuthHeader({
      requestId: paid.requestId,
      requestHash: hashOfRequest(body, {}),
      modelId: SMOLLM2_MODEL_ID,
      maxPrice: PLENTY,
      committer: GATEWAY,
      deadline: BigInt(Math.floor(Date.now() / 1000) + 600),
    })
    const twiceOver = { 'payment-signature': paid.header, [REQUEST_AUTH_HEADER]: auth }
    const inner = { method: 'POST', scheme: 'https', authority: 'enclave', path: PATH }
    const plain = encodeBinaryRequest({
      ...inner,
      headers: Object.entries({ 'content-type': 'application/json', ...twiceOver }),
      body: new TextEncoder().encode(body),
    })
    const sealed = await encapsulateRequest(node.enclave.ohttp.config, plain, 'chunked')
    const answer = await fetch(node.url + CONFIDENTIAL_PATH, {
      method: 'POST',
      headers: await paidHeaders(paid, {
        ...twiceOver,
        'content-type': OHTTP_REQUEST_TYPE.chunked,
        [CONFIDENTIAL_HEADERS.model]: MODEL,
        [CONFIDENTIAL_HEADERS.maxPrice]: PLENTY.toString(),
      }),
      body: Uint8Array.from(sealed.body),
    })
    const reader = new BinaryResponseReader()
    const parts: Uint8Array[] = []
    const take = (opened: Iterable<Uint8Array>): void => {
      for (const part of opened) {
        parts.push(part)
        seen(part)
      }
    }
    for await (const bytes of answer.body ?? []) {
      for (const opened of await sealed.opener.push(bytes)) take(reader.push(opened))
    }
    take(reader.push(await sealed.opener.end()))
    take([reader.end()])
    const streamed = concatBytes(parts)
    const wire = new TextDecoder().decode(streamed)
    assert.equal(reader.head?.status, 200, wire)
    checkWire(wire, 'data: [DONE]')
    const { receipt } = decodeReceiptHeader(/^: assay-receipt (\S+)$/m.exec(wire)?.[1] ?? '')
    const covered = { status: 200, contentType: 'text/event-stream', body: stripSseComments(streamed) }
    assert.equal(receipt.responseHash, responseHash(covered))
    assert.equal(receipt.payer, PAYER.address.toLowerCase())
  })

  test('not before its head: a failure until then is a status', async (t) => {
    const silenceMs = 7
    const silent = Promise.withResolvers<void>()
    const startInterval = setInterval
    t.mock.method(globalThis, 'setInterval', (say: () => void, milliseconds: number) =>
      startInterval(() => {
        say()
        if (milliseconds === silenceMs) silent.resolve()
      }, milliseconds),
    )
    const script: Script = async () => {
      await silent.promise
      throw new Error('the model broke')
    }
    const node = await startTestServer({ script, silenceMs })
    t.after(() => node.close())
    const headers = await paidHeaders(await payment(PLENTY))
    const body = chatBody({ stream: true })
    const response = await fetch(node.url + PATH, { method: 'POST', body, headers })
    assert.equal(response.status, 500)
    assert.match(await response.text(), /"code":"engine_failed"/)
  })

  test('one that is never silent has none', async (t) => {
    const node = await startTestServer()
    t.after(() => node.close())
    const headers = await paidHeaders(await payment(PLENTY))
    const body = chatBody({ stream: true })
    const response = await fetch(node.url + PATH, { method: 'POST', body, headers })
    assert.doesNotMatch(await response.text(), /waiting/)
  })

  test('after fifteen seconds, counted from the last word, until the stream ends', (t) => {
    const timer = { unref: t.mock.fn(() => timer), refresh: t.mock.fn() }
    const start = t.mock.method(globalThis, 'setInterval', () => timer)
    const clear = t.mock.method(globalThis, 'clearInterval', () => undefined)
    const say = () => undefined
    const waiting = startWaiting(say)
    assert.deepEqual(start.mock.calls[0]?.arguments as unknown[], [say, 15_000])
    assert.equal(timer.unref.mock.callCount(), 1)
    waiting.spoke()
    assert.equal(timer.refresh.mock.callCount(), 1)
    waiting.end()
    assert.deepEqual(clear.mock.calls[0]?.arguments as unknown[], [timer])
    waiting.spoke()
    assert.equal(timer.refresh.mock.callCount(), 1)
  })
})
