import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AnswerEvent } from '../src/engines/engine.ts'
import { createToolCallReader } from '../src/engines/llama/toolCalls.ts'

/** The calls of a text that arrives in pieces: [name, arguments] each, and what was said besides. */
function read(pieces: readonly string[]) {
  const reader = createToolCallReader(0)
  const events: AnswerEvent[] = pieces.flatMap((piece) => reader.push(piece))
  const calls: [name: string, args: string][] = []
  let text = ''
  for (const event of events) {
    if (event.type === 'text') text += event.text
    else if (event.type === 'tool') calls[event.index] = [event.name, '']
    else if (event.type === 'arguments') (calls[event.index] as [string, string])[1] += event.text
  }
  assert.equal(reader.calls(), calls.length)
  return { calls, text }
}

test('plain text is text, however it begins', () => {
  for (const text of ['', 'Paris.', '<b>bold</b>', '{"name": "x"}']) {
    assert.deepEqual(read([text]), { calls: [], text })
  }
  for (const opening of ['<', '<tool', '<tool_call>']) {
    assert.deepEqual(read([opening]), { calls: [], text: '' }, 'the grammar lets no words begin so')
  }
})

test('log-probabilities stay with the words whose first pieces were held back', () => {
  const reader = createToolCallReader(0)
  const of = (token: string) => ({ token, bytes: [], logprob: -1, top: [] })
  const events = ['<', 'tool', '?', ' No.'].flatMap((piece) => reader.push(piece, [of(piece)]))
  assert.deepEqual(events, [
    { type: 'text', choice: 0, text: '<tool?', logprobs: [of('<'), of('tool'), of('?')] },
    { type: 'text', choice: 0, text: ' No.', logprobs: [of(' No.')] },
  ])
})

test('an answer that is cut off keeps what there was of its last call', () => {
  assert.deepEqual(read(['<tool_call>[{"name": "f", "arguments": {"a": "b']), {
    calls: [['f', '{"a": "b']],
    text: '',
  })
  assert.deepEqual(read(['<tool_call>[{"name": "f']), { calls: [], text: '' })
})

test('calls come out as they were written, wherever the pieces break', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/)
  const args = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value))
  const calls = fc.array(fc.tuple(name, args), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(calls, fc.array(fc.nat(400), { maxLength: 30 }), (expected, cuts) => {
      const written = expected.map(([call, json]) => `{"name": "${call}", "arguments": ${json}}`).join(', ')
      const whole = `<tool_call>[${written}]</tool_call>`
      const at = [...new Set([0, ...cuts.filter((cut) => cut < whole.length), whole.length])].sort(
        (a, b) => a - b,
      )
      const pieces = at.slice(1).map((end, index) => whole.slice(at[index], end))
      assert.deepEqual(read(pieces), { calls: expected, text: '' })
    }),
  )
})
