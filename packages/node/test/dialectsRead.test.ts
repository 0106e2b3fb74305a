/** What the readers of the other dialects take, as clients send it: versions, betas, and answers that come back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCount } from '../src/dialects/anthropic/readMessages.ts'
import { ALL, GOOD, hello, read, tool, user, V1 } from './readDialect.ts'

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
  assert.ok('work' in count({ model: 'm', messages: hello, max_tokens: null, stream: null }))
  for (const [name, value] of [
    ['max_tokens', 5],
    ['stream', false],
  ] as const) {
    const limited = count({ model: 'm', messages: hello, [name]: value })
    assert.equal('error' in limited ? limited.error.param : 'read', name)
  }
})

test('labels that ask for no other answer are taken by both dialects of OpenAI’s that have them', () => {
  const labels = { user: 'a', safety_identifier: 'b', prompt_cache_key: 'c' }
  for (const body of [{ messages: hello }, { input: 'Hi', stream_options: { include_obfuscation: false } }]) {
    const path = 'input' in body ? '/v1/responses' : '/v1/chat/completions'
    assert.ok('work' in read(path, { model: 'm', ...body, ...labels }), path)
    for (const name of Object.keys(labels)) {
      const found = read(path, { model: 'm', ...body, [name]: 5 })
      assert.equal('error' in found ? found.error.param : 'read', name)
    }
  }
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
