/**
 * The exact bytes of every dialect's answers, whole and streamed, from the same steps. The files in golden/ are ours,
 * written by this test with ASSAY_WRITE_GOLDEN=1; a change of them is a change of what clients get, and is reviewed.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { collectAnswer } from '../src/dialects/answer.ts'
import type { AnswerWriter, Dialect } from '../src/dialects/dialect.ts'
import { DIALECTS } from '../src/dialects/dialects.ts'
import type { AnswerEvent, Feature } from '../src/engines/engine.ts'

const folder = join(import.meta.dirname, 'golden')
const isWriting = process.env.ASSAY_WRITE_GOLDEN === '1'
const usage = { inputUnits: 12, outputUnits: 7 }

const FEATURES = new Set<Feature>([
  ...(['chat', 'completions', 'embeddings', 'images', 'tools', 'json', 'logprobs', 'choices'] as const),
  ...(['sampling', 'top_k', 'seed', 'penalties'] as const),
])

const tools = [{ type: 'function', function: { name: 'weather' } }]
const messages = [{ role: 'user', content: 'Hi' }]
/** What is asked on each path: the members that the answer depends on. */
const ASKED: Record<string, Record<string, unknown>> = {
  '/v1/chat/completions': {
    messages,
    stream: true,
    stream_options: { include_usage: true },
    tools,
    n: 2,
    logprobs: true,
  },
  '/v1/completions': {
    prompt: ['a', 'b'],
    stream: true,
    stream_options: { include_usage: true },
    logprobs: 1,
  },
  '/v1/embeddings': { input: ['a', 'b'] },
  '/v1/responses': {
    input: 'Hi',
    stream: true,
    instructions: 'Be brief.',
    tools: [{ type: 'function', name: 'weather' }],
  },
  '/v1/messages': { messages, max_tokens: 9, stream: true },
}

function logprob(token: string, value: number) {
  return { token, bytes: [...Buffer.from(token)], logprob: value, top: [] }
}
const paris: AnswerEvent = {
  type: 'text',
  choice: 0,
  text: 'Grüße\n',
  logprobs: [{ ...logprob('Grüße', -0.25), top: [logprob('Grüße', -0.25)] }, logprob('\n', -1)],
}

const CASES: Record<string, AnswerEvent[]> = {
  text: [
    paris,
    { type: 'text', choice: 0, text: '"aus" Paris' },
    { type: 'finish', choice: 0, reason: 'stop' },
  ],
  limit: [
    { type: 'text', choice: 0, text: 'Once' },
    { type: 'finish', choice: 0, reason: 'length' },
  ],
  stop: [
    { type: 'text', choice: 0, text: 'Once' },
    { type: 'finish', choice: 0, reason: 'stop', stopText: 'END' },
  ],
  empty: [{ type: 'finish', choice: 0, reason: 'stop' }],
  tools: [
    { type: 'text', choice: 0, text: 'Looking.' },
    { type: 'tool', choice: 0, index: 0, id: 'call_1', name: 'weather' },
    { type: 'arguments', choice: 0, index: 0, text: '{"city":' },
    { type: 'arguments', choice: 0, index: 0, text: '"Paris"}' },
    { type: 'tool', choice: 0, index: 1, id: 'call_2', name: 'weather' },
    { type: 'arguments', choice: 0, index: 1, text: '{}' },
    { type: 'finish', choice: 0, reason: 'tool_calls' },
  ],
  thinking: [
    { type: 'thinking', choice: 0, text: 'Hm' },
    { type: 'thinking', choice: 0, text: '.' },
    { type: 'signature', choice: 0, signature: 'EqQB+/=' },
    { type: 'redacted', choice: 0, data: 'opaque' },
    { type: 'text', choice: 0, text: 'Hi' },
    { type: 'finish', choice: 0, reason: 'stop' },
  ],
  refusal: [
    { type: 'text', choice: 0, text: 'No.' },
    { type: 'finish', choice: 0, reason: 'refusal' },
  ],
  choices: [
    { type: 'text', choice: 0, text: 'one' },
    { type: 'finish', choice: 0, reason: 'stop' },
    { type: 'text', choice: 1, text: 'two' },
    { type: 'finish', choice: 1, reason: 'length' },
  ],
  embeddings: [
    { type: 'embedding', index: 0, vector: [0.5, -1] },
    { type: 'embedding', index: 1, vector: [0, 0.25] },
  ],
}

/** Cases that a path can have. */
const OF: Record<string, string[]> = {
  '/v1/chat/completions': ['text', 'limit', 'stop', 'empty', 'tools', 'refusal', 'choices'],
  '/v1/completions': ['text', 'limit', 'stop', 'empty', 'choices'],
  '/v1/embeddings': ['embeddings'],
  '/v1/responses': ['text', 'limit', 'empty', 'tools'],
  '/v1/messages': ['text', 'limit', 'stop', 'empty', 'tools', 'thinking', 'refusal'],
}

function writerOf(path: string, dialect: Dialect): AnswerWriter {
  const body = new TextEncoder().encode(JSON.stringify({ model: 'm', ...ASKED[path] }))
  const reading = dialect.read(body, { 'anthropic-version': '2026-10-21' }, () => ({
    contextLength: 100,
    features: FEATURES,
    native: new Set(),
  }))
  assert.ok('answer' in reading, JSON.stringify(reading))
  return reading.answer({ id: `${dialect.idPrefix}0123`, created: 1_750_000_000, model: 'm' })
}

function compare(name: string, text: string): void {
  const file = join(folder, name)
  if (isWriting) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, text)
  }
  assert.equal(text, readFileSync(file, 'utf8'), name)
}

for (const [path, dialect] of Object.entries(DIALECTS)) {
  const slug = dialect.route
  // Numbers, which no engine of words gives; proving.test.ts has them.
  if (slug === 'infer') continue
  for (const name of OF[path] ?? assert.fail(`no cases for ${path}`)) {
    const events = CASES[name] ?? assert.fail(name)
    test(`${path}: ${name}, whole`, () => {
      const { add, answer } = collectAnswer()
      for (const event of events) add(event)
      compare(`${slug}-${name}.json`, new TextDecoder().decode(writerOf(path, dialect).whole(answer, usage)))
    })
    if (dialect.route === 'embeddings') continue
    test(`${path}: ${name}, streamed`, () => {
      const stream = writerOf(path, dialect).stream()
      const written = [stream.open(usage.inputUnits)]
      for (const [at, event] of events.entries()) written.push(stream.event(event, at + 1))
      written.push(stream.close(usage), stream.terminal())
      compare(`${slug}-${name}.sse`, written.join(''))
    })
  }
  if (dialect.route === 'embeddings') continue
  test(`${path}: a failure in the middle`, () => {
    const stream = writerOf(path, dialect).stream()
    const begun = stream.open(usage.inputUnits) + stream.event({ type: 'text', choice: 0, text: 'On' }, 1)
    const error = { status: 502, message: 'm', type: 'server_error', code: 'upstream_failed' } as const
    const { event, terminal } = stream.fail(error)
    compare(`${slug}-failure.sse`, begun + event + terminal)
  })
}
