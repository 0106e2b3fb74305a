/** The small parts under the upstream engine: reading events, counting units. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generatedBytes } from '../src/engines/upstream/generatedText.ts'
import { createMeter } from '../src/engines/upstream/meter.ts'
import { readSse, type SseEvent } from '../src/engines/upstream/sseReader.ts'

async function read(pieces: readonly string[]): Promise<SseEvent[]> {
  const bytes = pieces.map((piece) => new TextEncoder().encode(piece))
  const events: SseEvent[] = []
  for await (const event of readSse(
    (async function* () {
      yield* bytes
    })(),
  )) {
    events.push(event)
  }
  return events
}

test('events are read as the standard has it, whatever the line ends and the pieces', async () => {
  const part = fc.string({ unit: fc.constantFrom('a', ':', ' ', 'ü', '{', '"') })
  const lines = fc.array(
    fc.record({
      event: fc.option(part, { nil: undefined }),
      data: fc.array(part, { minLength: 1, maxLength: 3 }),
    }),
    { maxLength: 5 },
  )
  await fc.assert(
    fc.asyncProperty(
      lines,
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.array(fc.nat(300)),
      async (expected, end, cuts) => {
        const text = expected
          .map(({ event, data }) =>
            [
              ': a comment',
              ...(event === undefined ? [] : [`event: ${event}`]),
              'id: 1',
              ...data.map((line) => `data: ${line}`),
              '',
              '',
            ].join(end),
          )
          .join('')
        const at = [...new Set([0, ...cuts.filter((cut) => cut < text.length), text.length])].sort(
          (a, b) => a - b,
        )
        const found = await read(at.slice(1).map((stop, index) => text.slice(at[index], stop)))
        const whole = expected.map(({ event, data }) => ({ event, data: data.join('\n') }))
        // A lone carriage return at the very end may be half a line end: its event is not complete.
        assert.deepEqual(found, end === '\r' ? whole.slice(0, found.length) : whole)
        assert.ok(found.length >= whole.length - 1)
      },
    ),
  )
})

test('an event or a stream without an end is cut off', async () => {
  await assert.rejects(read(Array(5).fill('x'.repeat(1024 * 1024))), RangeError)
})

test('units are the upstream’s own, of either dialect, cached input included', () => {
  const openai = createMeter('')
  openai.read({ usage: null })
  openai.read({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 } })
  assert.deepEqual(openai.usage(), { inputUnits: 9, outputUnits: 4 })
  const anthropic = createMeter('')
  const start = {
    input_tokens: 5,
    cache_read_input_tokens: 3,
    cache_creation_input_tokens: 2,
    output_tokens: 1,
  }
  anthropic.read({ type: 'message_start', message: { usage: start } })
  anthropic.read({ type: 'message_delta', usage: { output_tokens: 40 } })
  assert.deepEqual(anthropic.usage(), { inputUnits: 10, outputUnits: 40 })
  for (const bad of [null, 5, {}, { usage: 5 }, { usage: { prompt_tokens: -1, completion_tokens: 1.5 } }]) {
    const meter = createMeter('abcdefgh')
    meter.read(bad)
    assert.deepEqual(meter.usage(), { inputUnits: 2, outputUnits: 0 })
  }
})

test('a figure of one token stands, however many events brought it; one that is ahead of the text does not', () => {
  const openai = createMeter('')
  for (let piece = 0; piece < 3; piece++) openai.piece()
  openai.read({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } })
  assert.deepEqual(openai.usage(), { inputUnits: 9, outputUnits: 1 })
  const anthropic = createMeter('')
  anthropic.read({ type: 'message_start', message: { usage: { input_tokens: 5, output_tokens: 3 } } })
  assert.equal(anthropic.output(), 3)
  anthropic.piece()
  anthropic.piece()
  anthropic.read({ type: 'message_delta', usage: { output_tokens: 1 } })
  assert.deepEqual(anthropic.usage(), { inputUnits: 5, outputUnits: 1 })
})

test('what a model thought is output, where xAI and Gemini count it in the total alone', () => {
  const meter = createMeter('')
  meter.read({ usage: { prompt_tokens: 32, completion_tokens: 9, total_tokens: 135 } })
  assert.deepEqual(meter.usage(), { inputUnits: 32, outputUnits: 103 })
  const embedded = createMeter('')
  embedded.read({ usage: { prompt_tokens: 4, total_tokens: 4 } })
  assert.deepEqual(embedded.usage(), { inputUnits: 4, outputUnits: 0 })
})

test('where nobody counts, pieces and the length of the text stand in, and pictures do not', () => {
  const meter = createMeter(`{"text":"12345","image":"${'A'.repeat(10_000)}"}`)
  meter.piece()
  meter.piece()
  assert.equal(meter.output(), 2)
  assert.deepEqual(meter.usage(), { inputUnits: 7, outputUnits: 2 })
  // Anthropic's first event counts one token ahead; a stream cut off after it is counted by its pieces.
  meter.read({ message: { usage: { output_tokens: 1 } } })
  assert.equal(meter.usage().outputUnits, 2)
})

test('a whole answer that nobody counted is as long as what the model wrote, of either dialect', () => {
  const call = { id: 'call_long_id', type: 'function', function: { name: 'look', arguments: '{"a":"ü"}' } }
  const message = { role: 'assistant', content: 'Yes.', refusal: 'No', tool_calls: [call] }
  for (const [answer, bytes] of [
    [{ id: 'x', model: 'long name', choices: [{ index: 0, message, finish_reason: 'tool_calls' }] }, 20],
    [{ choices: [{ message: { content: 'ab' } }, { message: { content: 'cde' } }] }, 5],
    [{ choices: [{ text: 'abc' }, { text: 'd' }] }, 4],
    // vLLM gave a thought under its old name beside the new one for a while: it was thought once.
    [{ choices: [{ message: { content: 'a', reasoning: 'why', reasoning_content: 'why' } }] }, 4],
    [{ choices: [{ message: { content: null, reasoning_content: 'why' } }] }, 3],
    [{ choices: [{ message: { function_call: { name: 'f', arguments: '{}' } } }] }, 3],
    [{ choices: [{ message: { tool_calls: [{ function: { name: 'f', arguments: { a: 1 } } }] } }] }, 8],
    [
      { choices: [{ message: { content: [{ type: 'text', text: 'ab' }, { thinking: [{ text: 'c' }] }] } }] },
      3,
    ],
    [
      {
        type: 'message',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: 'EqQB+/=' },
          { type: 'redacted_thinking', data: 'opaque' },
          { type: 'text', text: 'Hi' },
          { type: 'tool_use', id: 'toolu_1', name: 'look', input: { a: 1 } },
        ],
      },
      16,
    ],
    [{ choices: [{ message: { content: '' } }] }, 0],
    // Events of streams.
    [{ choices: [{ delta: { role: 'assistant', content: '' }, finish_reason: null }] }, 0],
    [{ choices: [{ delta: { content: 'ab' } }, { delta: { reasoning_content: 'c' } }] }, 3],
    [{ choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] } }] }, 4],
    [{ choices: [{ delta: {}, finish_reason: 'stop' }] }, 0],
    [{ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'ab' } }, 2],
    [{ type: 'content_block_delta', delta: { type: 'input_json_delta', partial_json: '{}' } }, 2],
    [{ type: 'content_block_delta', delta: { type: 'signature_delta', signature: 'EqQB' } }, 0],
    [{ choices: 5, content: [null, 'x', { text: 7 }] }, 0],
    [{ object: 'list', data: [{ embedding: [1] }] }, 0],
  ] as const) {
    assert.equal(generatedBytes(answer), bytes, JSON.stringify(answer))
    const meter = createMeter('')
    meter.readWhole(answer)
    assert.equal(meter.usage().outputUnits, Math.ceil(bytes / 4))
    assert.equal(meter.output(), Math.ceil(bytes / 4))
  }
  const counted = createMeter('')
  const choices = [{ message: { content: 'Far longer than one token.' } }]
  counted.readWhole({ choices, usage: { prompt_tokens: 9, completion_tokens: 1 } })
  assert.deepEqual(counted.usage(), { inputUnits: 9, outputUnits: 1 }, 'figures stand, where there are any')
})
