/** What gateway and node both read from a body before they speak of money. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readIntent } from '../src/index.ts'

const CONTEXT = 2048
const contextLengthOf = (model: string) => (model === 'm' ? CONTEXT : undefined)
const read = (body: unknown) =>
  readIntent(
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
    assert.deepEqual(read({ model: 'm', ...limits }), { intent: { model: 'm', stream: false, maxOutput } })
  }
  assert.deepEqual(read({ model: 'm', stream: true }), {
    intent: { model: 'm', stream: true, maxOutput: CONTEXT },
  })
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
  ]
  for (const [body, code] of cases) {
    const answer = read(body)
    assert.ok('problem' in answer, JSON.stringify(body))
    assert.equal(answer.problem.code, code, JSON.stringify(body))
  }
  const notUtf8 = readIntent(Uint8Array.of(0x22, 0xff, 0x22), contextLengthOf)
  assert.ok('problem' in notUtf8 && notUtf8.problem.code === 'invalid_json')
})

test('no JSON body makes it throw, and no intent leaves its bounds', () => {
  const body = fc.record(
    {
      model: fc.constantFrom('m', 'n'),
      stream: fc.jsonValue(),
      max_tokens: fc.jsonValue(),
      messages: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(body, fc.jsonValue()), (value) => {
      const answer = read(value)
      if ('problem' in answer) return
      const { maxOutput } = answer.intent
      assert.ok(Number.isInteger(maxOutput) && maxOutput >= 1 && maxOutput <= CONTEXT)
    }),
  )
})
