/** Answers under the profile `opengradient`: what its clients read of them, and that the signature is over what was said. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  canonicalRequest,
  readTeeFields,
  type SignedOutput,
  teeFields,
  teeMessage,
  teeOutputHash,
  teeRequestHash,
  teeSignatureHolds,
} from '@assay/protocol/opengradient'
import { readNitridingUserData } from '@assay/verify'
import type { Hex } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { collectAnswer } from '../src/dialects/answer.ts'
import type { AnswerWriter } from '../src/dialects/dialect.ts'
import { nitroSimAttester } from '../src/enclaves/nitroSim.ts'
import { openEnclave } from '../src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../src/enclaves/simulatedChain.ts'
import { createTeeKey } from '../src/enclaves/teeKey.ts'
import type { AnswerEvent, Feature } from '../src/engines/engine.ts'
import { openGradientDialects } from '../src/opengradient/dialect.ts'

const TIMESTAMP = 1_750_000_000
const key = await createTeeKey()
const dialects = openGradientDialects((requestHash: Hex, output: SignedOutput) => {
  const signed = { requestHash, outputHash: teeOutputHash(output), timestamp: TIMESTAMP }
  return teeFields({ ...signed, teeId: key.id, signature: key.sign(teeMessage(signed)) })
})
const FEATURES = new Set<Feature>(['chat', 'completions', 'tools', 'choices', 'sampling', 'logprobs'])
const usage = { inputUnits: 3, outputUnits: 5 }
const HEAD = { id: 'x', created: TIMESTAMP, model: 'm' }

const bytes = (value: object): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ model: 'm', ...value }))
const CHAT = { messages: [{ role: 'user', content: 'Hi é' }], temperature: 0, max_tokens: 100 }

function read(path: string, body: Uint8Array, native: 'chat' | undefined = undefined) {
  const dialect = dialects[path]
  assert.ok(dialect !== undefined)
  const facts = {
    contextLength: 1000,
    features: FEATURES,
    native: new Set(native === undefined ? [] : [native]),
  }
  return dialect.read(body, {}, () => facts)
}

function writerOf(path: string, body: Uint8Array, native?: 'chat'): AnswerWriter {
  const reading = read(path, body, native)
  assert.ok('answer' in reading, JSON.stringify(reading))
  return reading.answer(HEAD)
}

function whole(path: string, body: Uint8Array, events: AnswerEvent[]): Record<string, unknown> {
  const { add, answer } = collectAnswer()
  for (const event of events) add(event)
  return JSON.parse(new TextDecoder().decode(writerOf(path, body).whole(answer, usage)))
}

function streamed(path: string, body: Uint8Array, events: AnswerEvent[]): string[] {
  const stream = writerOf(path, body).stream()
  const text = [
    stream.open(3),
    ...events.map((event) => stream.event(event, 1)),
    stream.close(usage),
    stream.terminal(),
  ].join('')
  assert.ok(text.endsWith('\n\n'))
  return text.slice(0, -2).split('\n\n')
}

async function assertSigned(
  response: unknown,
  route: 'chat' | 'completions',
  body: Uint8Array,
  output: SignedOutput,
): Promise<void> {
  const statement = readTeeFields(response)
  assert.ok(statement !== undefined)
  assert.equal(statement.requestHash, teeRequestHash(canonicalRequest(route, body)))
  assert.equal(statement.outputHash, teeOutputHash(output))
  assert.ok(await teeSignatureHolds(statement, key.der))
}

const TEXT: AnswerEvent[] = [
  { type: 'text', choice: 0, text: 'Grüße ' },
  { type: 'text', choice: 0, text: 'aus Paris' },
  { type: 'finish', choice: 0, reason: 'stop' },
]
const CALLS: AnswerEvent[] = [
  { type: 'tool', choice: 0, index: 0, id: 'c1', name: 'weather' },
  { type: 'arguments', choice: 0, index: 0, text: '{"city":' },
  { type: 'arguments', choice: 0, index: 0, text: '"Paris"}' },
  { type: 'finish', choice: 0, reason: 'tool_calls' },
]
const CALLED: SignedOutput = { calls: [{ id: 'c1', name: 'weather', arguments: '{"city":"Paris"}' }] }
const tools = [
  { type: 'function', function: { name: 'weather', parameters: { type: 'object', minimum: 0.5 } } },
]

test('a whole chat answer carries the fields beside its own', async () => {
  const answer = whole('/v1/chat/completions', bytes(CHAT), TEXT)
  assert.equal(answer.object, 'chat.completion')
  assert.equal(answer.tee_timestamp, TIMESTAMP)
  await assertSigned(answer, 'chat', bytes(CHAT), { text: 'Grüße aus Paris' })
})

test('function calls are signed where they are the answer, the text where they were cut off', async () => {
  const body = bytes({ ...CHAT, tools })
  await assertSigned(whole('/v1/chat/completions', body, CALLS), 'chat', body, CALLED)
  const cut: AnswerEvent[] = [...CALLS.slice(0, 2), { type: 'finish', choice: 0, reason: 'length' }]
  await assertSigned(whole('/v1/chat/completions', body, cut), 'chat', body, { text: '' })
})

test('a completion also stands at the top', async () => {
  const body = bytes({ prompt: 'Once', max_tokens: 8, temperature: 0.5 })
  const answer = whole('/v1/completions', body, TEXT)
  assert.equal(answer.completion, 'Grüße aus Paris')
  assert.deepEqual((answer.choices as { text: string }[])[0]?.text, 'Grüße aus Paris')
  await assertSigned(answer, 'completions', body, { text: 'Grüße aus Paris' })
})

for (const [name, extra, events, output] of [
  ['text', {}, TEXT, { text: 'Grüße aus Paris' }],
  ['function calls', { tools }, CALLS, CALLED],
  ['nothing', {}, [{ type: 'finish', choice: 0, reason: 'length' }], { text: '' }],
] as const) {
  test(`a stream of ${name} ends in one frame with reason, usage and signature, whatever was asked for`, async () => {
    for (const stream_options of [undefined, { include_usage: true }]) {
      const body = bytes({ ...CHAT, ...extra, stream: true, ...(stream_options && { stream_options }) })
      const frames = streamed('/v1/chat/completions', body, [...events])
      assert.ok(frames.every((frame) => frame.startsWith('data: ') && !frame.includes('\n')))
      assert.equal(frames.pop(), 'data: [DONE]')
      const last = JSON.parse(frames.pop()?.slice(6) ?? '')
      assert.notEqual(last.choices[0].finish_reason, null)
      assert.deepEqual(last.usage, { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 })
      await assertSigned(last, 'chat', body, output)
      for (const frame of frames) {
        assert.ok(
          !frame.includes('"usage"') && !frame.includes('tee_') && frame.includes('"finish_reason":null'),
        )
      }
    }
  })
}

test('several answers to one request are refused by name: a signature covers one', () => {
  const errorOf = (path: string, body: object) => {
    const found = read(path, bytes(body))
    return 'error' in found ? found.error : assert.fail('it was taken')
  }
  assert.equal(errorOf('/v1/chat/completions', { ...CHAT, n: 2 }).param, 'n')
  assert.equal(errorOf('/v1/completions', { prompt: ['a', 'b'] }).param, 'prompt')
  assert.equal(errorOf('/v1/chat/completions', { ...CHAT, web_search: true }).param, 'web_search')
  assert.equal(errorOf('/v1/chat/completions', { ...CHAT, stream_options: {} }).param, 'stream_options')
})

test('bytes of another server are not passed through unsigned', () => {
  const reading = read('/v1/chat/completions', bytes(CHAT), 'chat')
  assert.ok('work' in reading && reading.work.kind === 'chat')
  assert.equal(dialects['/v1/messages']?.route, 'messages')
})

test('the key is of the enclave: new at every boot, and in a Nitro document over the caller’s nonce', async () => {
  const attester = nitroSimAttester(await simulatedRoot(temporaryFolder('tee')))
  const boot = () => openEnclave({ attester, engineClasses: 1, withTeeKey: true })
  const [one, other] = [await boot(), await boot()]
  assert.ok(one.tee !== undefined && one.attestTee !== undefined)
  assert.notEqual(one.tee.id, other.tee?.id)
  const nonce: Hex = `0x${'5a'.repeat(20)}`
  const document = await one.attestTee(nonce)
  assert.equal(readNitridingUserData(document)?.appKeyHash, one.tee.attestedHash)
  assert.ok(Buffer.from(document).includes(Buffer.from(nonce.slice(2), 'hex')))
  assert.equal((await openEnclave({ attester, engineClasses: 1 })).tee, undefined)
})
