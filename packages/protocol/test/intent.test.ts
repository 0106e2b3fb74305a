/** What gateway and node both read from a body before they speak of money. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { INFERENCE_PATHS, type InferenceRoute, readIntent } from '../src/index.ts'

const CONTEXT = 2048
const contextLengthOf = (model: string) => (model === 'm' ? CONTEXT : undefined)
const read = (body: unknown, route: InferenceRoute = 'chat') =>
  readIntent(
    route,
    new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
    contextLengthOf,
  )

test('limits: the smaller of both names, never above the context length, which stands where none is given', () => {
  const cases: [object, number][] = [
    [{}, CONTEXT],
    [{ max_tokens: 16 }, 16],
    [{ max_completion_tokens: 16 }, 16],
    [{ max_tokens: 16, max_completion_tokens: 8 }, 8],
    [{ max_tokens: null }, CONTEXT],
    [{ max_tokens: 10 ** 9 }, CONTEXT],
  ]
  for (const [limits, maxOutput] of cases) {
    assert.deepEqual(read({ model: 'm', ...limits }), {
      intent: { model: 'm', stream: false, answers: 1, maxOutputEach: maxOutput, maxOutput },
    })
  }
  const streamed = read({ model: 'm', stream: true })
  assert.ok('intent' in streamed && streamed.intent.stream && streamed.intent.maxOutput === CONTEXT)
})

test('a body that is nested too deep to be written again is refused, whatever brackets its strings hold', () => {
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const body = (depth: number) => `{"model":"m","metadata":${nested(depth)}}`
  assert.ok('intent' in read(body(127)))
  for (const depth of [128, 100_000]) {
    const found = read(body(depth))
    assert.equal('problem' in found && found.problem.code, 'invalid_body')
  }
  fc.assert(
    fc.property(
      fc.jsonValue({ depthSize: 'small' }),
      fc.string({ unit: fc.constantFrom(...'[{"\\a') }),
      (json, text) => {
        assert.ok(
          'intent' in read({ model: 'm', json, text: `${'['.repeat(200)}${text}`, [text]: '{'.repeat(200) }),
        )
      },
    ),
  )
})

test('each route is bounded by its own members, and more answers cost more', () => {
  const cases: [InferenceRoute, object, answers: number, maxOutput: number][] = [
    ['chat', { n: 3, max_tokens: 10 }, 3, 30],
    ['completions', { prompt: 'a' }, 1, 16],
    ['completions', { prompt: ['a', 'b'], n: 2, max_tokens: 5 }, 4, 20],
    ['completions', { prompt: [1, 2, 3] }, 1, 16],
    ['completions', { prompt: 'a', max_completion_tokens: 5 }, 1, 16],
    ['embeddings', { input: 'a' }, 1, 1],
    ['embeddings', { input: ['a', 'b', 'c'], max_tokens: 9 }, 3, 3],
    ['responses', { max_output_tokens: 7, max_tokens: 3 }, 1, 7],
    ['responses', {}, 1, CONTEXT],
    ['messages', { max_tokens: 9, n: 5 }, 1, 9],
  ]
  for (const [route, members, answers, maxOutput] of cases) {
    const found = read({ model: 'm', ...members }, route)
    assert.ok('intent' in found, JSON.stringify(members))
    assert.deepEqual([found.intent.answers, found.intent.maxOutput], [answers, maxOutput], route)
  }
  assert.deepEqual(Object.values(INFERENCE_PATHS).sort(), [
    'chat',
    'completions',
    'embeddings',
    'infer',
    'messages',
    'responses',
  ])
})

test('a bad body is named by a stable code', () => {
  const cases: [unknown, string][] = [
    ['{', 'invalid_json'],
    ['', 'invalid_json'],
    ['[]', 'invalid_body'],
    ['null', 'invalid_body'],
    ['1', 'invalid_body'],
    [{}, 'invalid_model'],
    [{ model: 1 }, 'invalid_model'],
    [{ model: '' }, 'invalid_model'],
    [{ model: 'x'.repeat(257) }, 'invalid_model'],
    [{ model: 'unknown' }, 'model_not_found'],
    [{ model: 'm', stream: 'yes' }, 'invalid_type'],
    [{ model: 'm', max_tokens: -1 }, 'invalid_value'],
    [{ model: 'm', max_tokens: 0 }, 'invalid_value'],
    [{ model: 'm', max_tokens: 1.5 }, 'invalid_value'],
    [{ model: 'm', max_tokens: '16' }, 'invalid_value'],
    [{ model: 'm', max_completion_tokens: {} }, 'invalid_value'],
    [{ model: 'm', n: 0 }, 'invalid_value'],
    [{ model: 'm', n: 9 }, 'invalid_value'],
    [{ model: 'm', n: 1.5 }, 'invalid_value'],
  ]
  for (const [body, code] of cases) {
    const answer = read(body)
    assert.ok('problem' in answer, JSON.stringify(body))
    assert.equal(answer.problem.code, code, JSON.stringify(body))
  }
  const more: [InferenceRoute, unknown, string][] = [
    ['messages', { model: 'm' }, 'missing_parameter'],
    ['embeddings', { model: 'm', input: [] }, 'invalid_value'],
    ['embeddings', { model: 'm', input: Array(257).fill('a') }, 'invalid_value'],
    ['completions', { model: 'm', prompt: Array(257).fill('a') }, 'invalid_value'],
  ]
  for (const [route, body, code] of more) {
    const answer = read(body, route)
    assert.ok('problem' in answer && answer.problem.code === code, route)
  }
  const notUtf8 = readIntent('chat', Uint8Array.of(0x22, 0xff, 0x22), contextLengthOf)
  assert.ok('problem' in notUtf8 && notUtf8.problem.code === 'invalid_json')
})

test('no JSON body makes it throw, and no intent leaves its bounds', () => {
  const body = fc.record(
    {
      model: fc.constantFrom('m', 'n'),
      stream: fc.jsonValue(),
      max_tokens: fc.jsonValue(),
      messages: fc.jsonValue(),
      n: fc.jsonValue(),
      input: fc.jsonValue(),
      prompt: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  const routes = fc.constantFrom(...Object.values(INFERENCE_PATHS))
  fc.assert(
    fc.property(fc.oneof(body, fc.jsonValue()), routes, (value, route) => {
      const answer = read(value, route)
      if ('problem' in answer) return
      const { answers, maxOutputEach, maxOutput } = answer.intent
      assert.ok(Number.isInteger(maxOutputEach) && maxOutputEach >= 1 && maxOutputEach <= CONTEXT)
      assert.ok(answers >= 1 && answers <= 2048 && maxOutput === answers * maxOutputEach)
    }),
  )
})
