/** Bad input in the other dialects: refused by the member's name, before anything is paid or run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readCount } from '../src/dialects/anthropic/readMessages.ts'
import { DIALECTS } from '../src/dialects/dialects.ts'
import type { Feature } from '../src/engines/engine.ts'

const ALL: Feature[] = [
  ...(['chat', 'completions', 'embeddings', 'tools', 'json', 'logprobs', 'choices'] as const),
  ...(['sampling', 'top_k', 'seed', 'penalties'] as const),
]
const V1 = { 'anthropic-version': '2023-06-01' }

function read(path: string, body: unknown, headers: Record<string, string> = V1, features: Feature[] = ALL) {
  const dialect = DIALECTS[path] ?? assert.fail(path)
  return dialect.read(new TextEncoder().encode(JSON.stringify(body)), headers, (name) =>
    name === 'm' ? { contextLength: 100, features: new Set(features), native: new Set() } : undefined,
  )
}

const hello = [{ role: 'user', content: 'Hi' }]
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })
const tool = { name: 'f', input_schema: { type: 'object' } }
const GOOD: Record<string, Record<string, unknown>> = {
  '/v1/messages': { model: 'm', max_tokens: 9, messages: hello },
  '/v1/completions': { model: 'm', prompt: 'Hi' },
  '/v1/embeddings': { model: 'm', input: 'Hi' },
  '/v1/responses': { model: 'm', input: 'Hi' },
}

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
    [{ thinking: 5 }, 'thinking', 'unsupported_value'],
    [{ metadata: { other: 1 } }, 'metadata', 'unsupported_value'],
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

test('Anthropic’s version decides what a request may hold, and betas are not ignored', () => {
  const good = GOOD['/v1/messages']
  const code = (headers: Record<string, string>, members = {}) => {
    const found = read('/v1/messages', { ...good, ...members }, headers)
    return 'error' in found ? `${found.error.param}: ${found.error.code}` : 'read'
  }
  assert.equal(code({}), 'anthropic-version: unsupported_version')
  assert.equal(code({ 'anthropic-version': '2024-01-01' }), 'anthropic-version: unsupported_version')
  assert.equal(code(V1, { temperature: 0.5, top_k: 5 }), 'read')
  assert.equal(code({ 'anthropic-version': '2026-10-21' }), 'read')
  for (const name of ['temperature', 'top_p', 'top_k']) {
    assert.equal(code({ 'anthropic-version': '2026-10-21' }, { [name]: 1 }), `${name}: unsupported_parameter`)
  }
  for (const beta of ['x-2026', 'context-1m-2025-08-07', 'model-context-window-exceeded-2025-08-26']) {
    const asked = code({ ...V1, 'anthropic-beta': `structured-outputs-2025-12-15,${beta}` })
    assert.equal(asked, 'anthropic-beta: unsupported_parameter')
  }
})

test('a beta that only opens a member is read, and the member done or refused by its own name', () => {
  const code = (members: object, beta: string) => {
    const body = { ...GOOD['/v1/messages'], ...members }
    const found = read('/v1/messages', body, { ...V1, 'anthropic-beta': beta })
    return 'error' in found ? `${found.error.param}: ${found.error.code}` : 'read'
  }
  const format = { type: 'json_schema', schema: { type: 'object' } }
  assert.equal(code({ output_config: { format } }, 'structured-outputs-2025-12-15'), 'read')
  assert.equal(code({}, 'token-counting-2024-11-01, prompt-caching-2024-07-31'), 'read')
  const edits = { context_management: { edits: [] } }
  assert.equal(code(edits, 'context-management-2025-06-27'), 'context_management: unsupported_parameter')
  // What Anthropic's tool runners wait for to go on without a thread, whatever the header says.
  const thread = { thread: { type: 'create' } }
  assert.equal(code(thread, 'message-threads-2026-08-12'), 'thread: thread_unsupported_request')
})

test('counting takes a message without a limit, and nothing more', () => {
  const count = (body: unknown) =>
    readCount(new TextEncoder().encode(JSON.stringify(body)), V1, () => ({
      contextLength: 100,
      features: new Set(ALL),
      native: new Set(),
    }))
  assert.ok('work' in count({ model: 'm', messages: hello }))
  const limited = count({ model: 'm', messages: hello, max_tokens: 5 })
  assert.ok('error' in limited && limited.error.param === 'max_tokens')
})

test('a conversation with calls, results and thinking is read in its order', () => {
  const found = read('/v1/messages', {
    ...GOOD['/v1/messages'],
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
    tools: [{ ...tool, type: 'custom', description: 'd', strict: true, eager_input_streaming: true }],
    tool_choice: { type: 'any', disable_parallel_tool_use: true },
    messages: [
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm', signature: 's' },
          { type: 'redacted_thinking', data: 'd' },
          { type: 'text', text: 'Looking.', citations: null },
          { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 }, caller: { type: 'direct' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'So?' },
          { type: 'tool_result', tool_use_id: 'a', is_error: true, content: [{ type: 'text', text: 'no' }] },
        ],
      },
      { role: 'system', content: 'Answer now.' },
    ],
  })
  assert.ok('work' in found && found.work.kind === 'chat', JSON.stringify(found))
  assert.deepEqual(found.work.messages, [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Weather?' }] },
    { role: 'assistant', content: 'Looking.', toolCalls: [{ id: 'a', name: 'f', arguments: '{"x":1}' }] },
    { role: 'tool', callId: 'a', content: 'Error: no' },
    { role: 'user', content: [{ type: 'text', text: 'So?' }] },
    { role: 'system', content: 'Answer now.' },
  ])
  assert.deepEqual([found.work.toolChoice, found.work.parallelTools], ['required', false])
})

test('whoever refers to an item is told to send it, and how', () => {
  const found = read('/v1/responses', { model: 'm', input: [{ type: 'item_reference', id: 'msg_1' }] })
  assert.ok('error' in found)
  assert.match(
    found.error.message,
    /^`input\[0\]` refers .* nothing is stored here: send the item itself.*`store: false`/,
  )
})

test('an answer that its client has parsed comes back as it was', () => {
  const said = '{"x":1}'
  const parsed = { x: 1 }
  const call = {
    id: 'a',
    type: 'function',
    function: { name: 'f', arguments: said, parsed_arguments: parsed },
  }
  const chat = read('/v1/chat/completions', {
    model: 'm',
    messages: [
      ...hello,
      { role: 'assistant', content: said, parsed, refusal: null, tool_calls: null },
      ...hello,
      { role: 'assistant', content: null, parsed: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'a', content: 'y' },
    ],
  })
  const text = { type: 'output_text', text: said, annotations: [], parsed }
  const responses = read('/v1/responses', {
    model: 'm',
    input: [
      ...hello,
      { id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content: [text] },
      ...hello,
      { type: 'function_call', call_id: 'a', name: 'f', arguments: said, parsed_arguments: parsed },
      { type: 'function_call_output', call_id: 'a', output: [{ type: 'input_text', text: 'y' }] },
    ],
  })
  for (const found of [chat, responses]) {
    assert.ok('work' in found && found.work.kind === 'chat', JSON.stringify(found))
    assert.deepEqual(found.work.messages.slice(1), [
      { role: 'assistant', content: said, toolCalls: [] },
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'f', arguments: said }] },
      { role: 'tool', callId: 'a', content: 'y' },
    ])
  }
})

test('a picture’s detail may be what it is anyway, as the types of responses demand it, and nothing else', () => {
  const url = 'data:image/png;base64,iVBORw0K'
  const asked = (detail: string): [path: string, body: Record<string, unknown>, param: string][] => [
    [
      '/v1/responses',
      { model: 'm', input: [{ role: 'user', content: [{ type: 'input_image', image_url: url, detail }] }] },
      'input[0].content[0].detail',
    ],
    [
      '/v1/chat/completions',
      { model: 'm', ...user([{ type: 'image_url', image_url: { url, detail } }]) },
      'messages[0].content[0].image_url.detail',
    ],
  ]
  for (const [path, body] of asked('auto')) {
    const found = read(path, body, V1, [...ALL, 'images'])
    assert.ok('work' in found && found.work.kind === 'chat', JSON.stringify(found))
    assert.deepEqual(found.work.messages, [
      { role: 'user', content: [{ type: 'image', mediaType: 'image/png', base64: 'iVBORw0K' }] },
    ])
  }
  for (const [path, body, param] of asked('high')) {
    const found = read(path, body, V1, [...ALL, 'images'])
    assert.ok('error' in found, path)
    assert.deepEqual([found.error.param, found.error.code], [param, 'unsupported_value'])
  }
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
