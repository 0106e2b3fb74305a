/** Bad input in the other dialects: refused by the member's name, before anything is paid or run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { GOOD, hello, read, tool, user, V1 } from './readDialect.ts'

type Row = [members: Record<string, unknown>, param: string | null, code: string]
const ROWS: Record<string, Row[]> = {
  '/v1/messages': [
    [{ max_tokens: undefined }, 'max_tokens', 'missing_parameter'],
    [{ max_tokens: 0 }, 'max_tokens', 'invalid_value'],
    [{ model: 'claude' }, 'model', 'model_not_found'],
    [{ messages: [] }, 'messages', 'invalid_value'],
    [{ messages: 'Hi' }, 'messages', 'invalid_type'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role', 'invalid_value'],
    [{ messages: [{ role: 'assistant', content: 'x' }] }, 'messages', 'invalid_value'],
    [{ messages: [{ role: 'user', content: 'x', name: 'y' }] }, 'messages[0].name', 'unknown_parameter'],
    [user([]), 'messages[0].content', 'invalid_value'],
    [user(5), 'messages[0].content', 'invalid_type'],
    [user('\ud800'), 'messages[0].content', 'invalid_value'],
    [user([{ type: 'document', source: {} }]), 'messages[0].content[0].type', 'unsupported_value'],
    [user([{ type: 'image', source: {} }]), 'messages[0].content[0].type', 'unsupported_parameter'],
    [user([{ type: 'text', text: 5 }]), 'messages[0].content[0].text', 'invalid_type'],
    [
      user([{ type: 'text', text: 'x', citations: [{}] }]),
      'messages[0].content[0].citations',
      'unsupported_parameter',
    ],
    [user([{ type: 'tool_result', content: 'x' }]), 'messages[0].content[0].tool_use_id', 'invalid_type'],
    [
      user([{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'image' }] }]),
      'messages[0].content[0].content[0].type',
      'unsupported_value',
    ],
    [
      {
        messages: [
          { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: 'x' }] },
          ...hello,
        ],
      },
      'messages[0].content[0].input',
      'invalid_type',
    ],
    [{ system: 5 }, 'system', 'invalid_type'],
    [{ system: [{ type: 'image' }] }, 'system[0].type', 'unsupported_value'],
    [{ temperature: 1.5 }, 'temperature', 'invalid_value'],
    [{ top_p: '1' }, 'top_p', 'invalid_type'],
    [{ top_k: 1.5 }, 'top_k', 'invalid_value'],
    [{ stop_sequences: 'END' }, 'stop_sequences', 'invalid_type'],
    [{ stop_sequences: [''] }, 'stop_sequences[0]', 'invalid_value'],
    [{ stop_sequences: Array(17).fill('a') }, 'stop_sequences', 'invalid_value'],
    [{ tools: [{ name: 'f' }] }, 'tools[0].input_schema', 'invalid_type'],
    [{ tools: [{ ...tool, name: 'a b' }] }, 'tools[0].name', 'invalid_value'],
    [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools[0].type', 'unsupported_value'],
    [{ tools: [tool, tool] }, 'tools', 'invalid_value'],
    [{ tools: [{ ...tool, defer_loading: true }] }, 'tools[0].defer_loading', 'unknown_parameter'],
    [{ tool_choice: { type: 'any' } }, 'tool_choice', 'invalid_value'],
    [{ tools: [tool], tool_choice: { type: 'tool', name: 'g' } }, 'tool_choice.name', 'invalid_value'],
    [{ tools: [tool], tool_choice: { type: 'maybe' } }, 'tool_choice.type', 'invalid_value'],
    [{ thinking: { type: 'enabled', budget_tokens: 1024 } }, 'thinking', 'unsupported_value'],
    [{ tools: [tool], tool_choice: { type: 'auto', name: 'f' } }, 'tool_choice.name', 'unknown_parameter'],
    [{ thinking: 5 }, 'thinking', 'unsupported_value'],
    [{ thinking: {} }, 'thinking', 'unsupported_value'],
    [{ thinking: { type: 'disabled', budget_tokens: 1024 } }, 'thinking', 'unsupported_value'],
    [{ metadata: { other: 1 } }, 'metadata', 'unsupported_value'],
    [{ metadata: { user_id: {} } }, 'metadata', 'unsupported_value'],
    [{ metadata: [] }, 'metadata', 'unsupported_value'],
    [{ cache_control: [] }, 'cache_control', 'unsupported_value'],
    [{ service_tier: 'priority' }, 'service_tier', 'unsupported_value'],
    [{ output_config: { effort: 'high' } }, 'output_config.effort', 'unknown_parameter'],
    [{ output_config: { format: { type: 'xml' } } }, 'output_config.format.type', 'invalid_value'],
    [{ container: 'x' }, 'container', 'unsupported_parameter'],
    [{ n: 2 }, 'n', 'unsupported_parameter'],
    [{ stream: 'yes' }, 'stream', 'invalid_type'],
  ],
  '/v1/completions': [
    [{ prompt: undefined }, 'prompt', 'invalid_type'],
    [{ prompt: [] }, 'prompt', 'invalid_value'],
    [{ prompt: [1, 2] }, 'prompt', 'unsupported_value'],
    [{ prompt: [[1], [2]] }, 'prompt', 'unsupported_value'],
    [{ prompt: ['a', 5] }, 'prompt[1]', 'invalid_type'],
    [{ max_tokens: -1 }, 'max_tokens', 'invalid_value'],
    [{ echo: true }, 'echo', 'unsupported_value'],
    [{ suffix: 'x' }, 'suffix', 'unsupported_value'],
    [{ best_of: 3 }, 'best_of', 'unsupported_value'],
    [{ logprobs: 6 }, 'logprobs', 'invalid_value'],
    [{ logprobs: true }, 'logprobs', 'invalid_type'],
    [{ n: 0 }, 'n', 'invalid_value'],
    [{ messages: hello }, 'messages', 'unsupported_parameter'],
    [{ stream_options: {} }, 'stream_options', 'invalid_value'],
  ],
  '/v1/embeddings': [
    [{ input: undefined }, 'input', 'invalid_type'],
    [{ input: '' }, 'input', 'invalid_value'],
    [{ input: ['a', ''] }, 'input[1]', 'invalid_value'],
    [{ input: [1, 2] }, 'input', 'unsupported_value'],
    [{ input: Array(257).fill('a') }, 'input', 'invalid_value'],
    [{ encoding_format: 'int8' }, 'encoding_format', 'invalid_value'],
    [{ dimensions: 0 }, 'dimensions', 'invalid_value'],
    [{ stream: true }, 'stream', 'unsupported_value'],
    [{ temperature: 1 }, 'temperature', 'unsupported_parameter'],
  ],
  '/v1/responses': [
    [{ input: undefined }, 'input', 'invalid_type'],
    [{ input: [] }, 'input', 'invalid_value'],
    [{ input: [{ role: 'assistant', content: 'x' }] }, 'input', 'invalid_value'],
    [{ input: [{ role: 'critic', content: 'x' }] }, 'input[0].role', 'invalid_value'],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'input[0].type', 'unsupported_value'],
    [
      { input: [{ role: 'user', content: [{ type: 'input_file' }] }] },
      'input[0].content[0].type',
      'unsupported_value',
    ],
    [
      { input: [{ role: 'user', content: [{ type: 'input_image' }] }] },
      'input[0].content[0].type',
      'unsupported_parameter',
    ],
    [{ input: [{ type: 'function_call_output', output: 'x' }] }, 'input[0].call_id', 'invalid_type'],
    [
      { input: [{ type: 'function_call_output', call_id: 'a', output: [{ type: 'input_image' }] }] },
      'input[0].output',
      'unsupported_value',
    ],
    [{ instructions: 5 }, 'instructions', 'invalid_type'],
    [{ max_output_tokens: 0 }, 'max_output_tokens', 'invalid_value'],
    [{ store: true }, 'store', 'unsupported_value'],
    [{ background: true }, 'background', 'unsupported_value'],
    [{ previous_response_id: 'resp_1' }, 'previous_response_id', 'unsupported_parameter'],
    [{ conversation: 'c' }, 'conversation', 'unsupported_parameter'],
    [{ include: ['x'] }, 'include', 'unsupported_value'],
    [{ truncation: 'auto' }, 'truncation', 'unsupported_value'],
    [{ reasoning: { effort: 'high' } }, 'reasoning', 'unsupported_parameter'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0].type', 'unsupported_value'],
    [{ tool_choice: 'required' }, 'tool_choice', 'invalid_value'],
    [
      {
        tools: [{ type: 'function', name: 'f' }],
        tool_choice: { type: 'function', name: 'f', mode: 'auto' },
      },
      'tool_choice.mode',
      'unknown_parameter',
    ],
    [{ stream_options: { include_obfuscation: false, x: 1 } }, 'stream_options', 'unsupported_value'],
    [{ text: { verbosity: 'low' } }, 'text.verbosity', 'unknown_parameter'],
    [{ text: { format: { type: 'json_schema', schema: {} } } }, 'text.format.name', 'invalid_type'],
    [{ text: { format: { type: 'xml' } } }, 'text.format.type', 'unsupported_value'],
    [{ temperature: 3 }, 'temperature', 'invalid_value'],
    [{ max_tokens: 5 }, 'max_tokens', 'unsupported_parameter'],
  ],
}

for (const [path, rows] of Object.entries(ROWS)) {
  test(`${path}: good input is read, null is absent`, () => {
    assert.ok('work' in read(path, { ...GOOD[path], temperature: null, tools: null, user: null }), path)
  })
  for (const [members, param, code] of rows) {
    test(`${path} ${JSON.stringify(members).slice(0, 90)}`, () => {
      const found = read(path, { ...GOOD[path], ...members })
      assert.ok('error' in found, 'it was accepted')
      assert.deepEqual([found.error.param, found.error.code], [param, code])
      assert.equal(found.error.status, code === 'model_not_found' ? 404 : 400)
    })
  }
}

test('an engine without a dialect’s work refuses the model for it', () => {
  for (const [path, body] of Object.entries(GOOD)) {
    const found = read(path, body, V1, [])
    assert.ok('error' in found)
    assert.deepEqual([found.error.param, found.error.code], ['model', 'unsupported_model'], path)
  }
  const found = read('/v1/completions', GOOD['/v1/completions'], V1, ['chat', 'embeddings'])
  assert.ok('error' in found)
  assert.match(
    found.error.message,
    /not one for this path\. It answers at \/v1\/chat\/completions, \/v1\/responses, \/v1\/messages, \/v1\/embeddings\.$/,
  )
})

test('a missing text is asked for in every form that it may have', () => {
  for (const [path, member] of [
    ['/v1/completions', 'prompt'],
    ['/v1/embeddings', 'input'],
    ['/v1/responses', 'input'],
  ] as const) {
    const found = read(path, { ...GOOD[path], [member]: undefined })
    assert.ok('error' in found)
    assert.match(found.error.message, /^`(?:prompt|input)` must be a string or an array/, path)
  }
})

test('whoever refers to an item is told to send it, and how', () => {
  const found = read('/v1/responses', { model: 'm', input: [{ type: 'item_reference', id: 'msg_1' }] })
  assert.ok('error' in found)
  assert.match(
    found.error.message,
    /^`input\[0\]` refers .* nothing is stored here: send the item itself.*`store: false`/,
  )
})

test('no JSON whatever makes a reader throw', () => {
  const names = fc.constantFrom(
    ...[
      'model',
      'messages',
      'system',
      'input',
      'prompt',
      'tools',
      'tool_choice',
      'text',
      'thinking',
      'metadata',
    ],
    ...[
      'output_config',
      'stop_sequences',
      'stream',
      'stream_options',
      'include',
      'instructions',
      'cache_control',
    ],
  )
  const paths = fc.constantFrom(...Object.keys(GOOD))
  const content = fc.oneof(
    fc.jsonValue(),
    fc.array(fc.record({ type: fc.constantFrom('text', 'tool_use', 'image') })),
  )
  fc.assert(
    fc.property(paths, fc.dictionary(names, fc.jsonValue()), content, (path, members, inner) => {
      for (const body of [
        members,
        { ...GOOD[path], ...members, model: 'm' },
        { ...GOOD[path], ...user(inner) },
      ]) {
        const found = read(path, body)
        if ('error' in found) assert.ok(found.error.code.length > 0)
        else assert.ok(found.intent.maxOutput >= 1)
      }
    }),
    { numRuns: 1000 },
  )
})
