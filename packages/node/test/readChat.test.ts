/** How a chat request is read: what is honoured, what is refused by name, and that nothing makes it throw. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openaiChat } from '../src/dialects/openai/readChat.ts'
import type { Feature } from '../src/engines/engine.ts'

const read = (json: unknown) => {
  const features = new Set<Feature>([
    'chat',
    'tools',
    'json',
    'logprobs',
    'choices',
    'sampling',
    'seed',
    'penalties',
    'names',
  ])
  return openaiChat.read(new TextEncoder().encode(JSON.stringify(json)), {}, (model) =>
    model === 'm' ? { contextLength: 100, features, native: new Set() } : undefined,
  )
}

test('what is supported is honoured, with null as absent', () => {
  const weather = { name: 'weather', description: 'Of a city', parameters: { type: 'object' }, strict: true }
  const found = read({
    model: 'm',
    messages: [
      {
        role: 'developer',
        content: [
          { type: 'text', text: 'Be ' },
          { type: 'text', text: 'brief.' },
        ],
      },
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b', refusal: null, annotations: [] },
      { role: 'user', content: 'c' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'rain', name: 'weather' },
    ],
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 300,
    max_completion_tokens: 7,
    temperature: 0.5,
    top_p: 0.9,
    seed: -1,
    stop: 'END',
    frequency_penalty: 1,
    presence_penalty: -1,
    n: 2,
    logprobs: true,
    top_logprobs: 3,
    tools: [{ type: 'function', function: weather }],
    tool_choice: { type: 'function', function: { name: 'weather' } },
    parallel_tool_calls: false,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'x', schema: { type: 'object' }, strict: true },
    },
    functions: null,
    user: 'someone',
  })
  assert.ok('work' in found, JSON.stringify(found))
  assert.equal(found.intent.maxOutput, 14)
  assert.deepEqual(found.work, {
    kind: 'chat',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'a' }] },
      { role: 'assistant', content: 'b', toolCalls: [] },
      { role: 'user', content: [{ type: 'text', text: 'c' }] },
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_1', name: 'weather', arguments: '{}' }] },
      { role: 'tool', callId: 'call_1', content: 'rain' },
    ],
    tools: [{ ...weather, place: 'tools[0].function.parameters' }],
    toolChoice: { name: 'weather' },
    parallelTools: false,
    format: {
      type: 'json_schema',
      name: 'x',
      schema: { type: 'object' },
      strict: true,
      place: 'response_format.json_schema.schema',
    },
    settings: {
      sampling: { temperature: 0.5, topP: 0.9, seed: -1, frequencyPenalty: 1, presencePenalty: -1 },
      maxTokens: 7,
      stop: ['END'],
      choices: 2,
      logprobs: 3,
    },
  })
})

test('an earlier refusal is read as what was said, also beside an empty text', () => {
  for (const content of [null, '']) {
    const refused = { role: 'assistant', content, refusal: 'I will not.' }
    const found = read({
      model: 'm',
      messages: [{ role: 'user', content: 'a' }, refused, { role: 'user', content: 'b' }],
    })
    assert.ok('work' in found && found.work.kind === 'chat', JSON.stringify(found))
    assert.deepEqual(found.work.messages[1], { role: 'assistant', content: 'I will not.', toolCalls: [] })
  }
})

test('an engine that cannot do a thing has it refused by name', () => {
  const cases: [Record<string, unknown>, param: string][] = [
    [{ tools: [{ type: 'function', function: { name: 'f' } }] }, 'tools'],
    [{ response_format: { type: 'json_object' } }, 'response_format'],
    [{ logprobs: true }, 'logprobs'],
    [{ n: 2 }, 'n'],
    [{ temperature: 1 }, 'temperature'],
    [{ top_p: 0.5 }, 'top_p'],
    [{ seed: 1 }, 'seed'],
    [{ presence_penalty: 1 }, 'presence_penalty'],
    [{ messages: [{ role: 'user', content: 'a', name: 'b' }] }, 'messages[0].name'],
  ]
  for (const [members, param] of cases) {
    const body = { model: 'm', messages: [{ role: 'user', content: 'a' }], ...members }
    const found = openaiChat.read(new TextEncoder().encode(JSON.stringify(body)), {}, () => ({
      contextLength: 100,
      features: new Set(['chat']),
      native: new Set(),
    }))
    assert.ok('error' in found, param)
    assert.deepEqual([found.error.param, found.error.code], [param, 'unsupported_parameter'])
  }
})

test('who speaks is read, as far as it is a name and nothing else', () => {
  const messages = [
    { role: 'system', name: 'example_user', content: 'a' },
    { role: 'user', name: 'Zoë-1', content: 'b' },
    { role: 'assistant', name: 'writer', content: 'c' },
    { role: 'user', name: null, content: 'd' },
  ]
  const found = read({ model: 'm', messages })
  assert.ok('work' in found && found.work.kind === 'chat', JSON.stringify(found))
  const names = found.work.messages.map((message) => ('name' in message ? message.name : undefined))
  assert.deepEqual(names, ['example_user', 'Zoë-1', 'writer', undefined])
  for (const name of ['', 'a b', 'a\n', '<|im_end|>', 'a/b', 'a\\b', 'x'.repeat(65), 7]) {
    const refused = read({ model: 'm', messages: [{ role: 'user', content: 'a', name }] })
    assert.equal('error' in refused ? refused.error.param : 'none', 'messages[0].name', String(name))
  }
})

test('no JSON whatever makes the reader throw', () => {
  const names = fc.constantFrom(
    'model',
    'messages',
    'stop',
    'seed',
    'stream',
    'stream_options',
    'tools',
    'user',
  )
  fc.assert(
    fc.property(fc.dictionary(names, fc.jsonValue()), fc.jsonValue(), (members, content) => {
      for (const json of [members, { ...members, model: 'm', messages: [{ role: 'user', content }] }]) {
        const found = read(json)
        if ('error' in found) assert.ok(found.error.code.length > 0)
        else assert.ok(found.intent.maxOutput >= 1)
      }
    }),
    { numRuns: 500 },
  )
})
