/** Gemini 3 signs its calls and refuses a conversation in which one of them comes back without (`signedCall.ts`). */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { idWithSignature, readCallId } from '../src/engines/upstream/signedCall.ts'
import { MODEL } from './harness.ts'
import { type Asked, counted, delta, json, openaiStream } from './scriptedUpstream.ts'
import { hello, nodeOver } from './upstreamNode.ts'

const SIGNATURE = `${'Ab+/'.repeat(500)}AA==`
const extra_content = { google: { thought_signature: SIGNATURE } }
const named = { name: 'weather', arguments: '{}' }
const first = { index: 0, id: 'call_a', type: 'function', function: named, extra_content }
/** Of calls side by side only the first is signed. */
const second = { index: 1, id: 'call_b', type: 'function', function: named }

function answer({ body }: Asked, response: ServerResponse): void {
  const tool_calls = [first, second]
  if (body.stream === true) {
    const chunks = [delta({ role: 'assistant', tool_calls }), delta({}, 'tool_calls'), counted(3, 4)]
    openaiStream(response, chunks)
    return
  }
  const message = { role: 'assistant', content: null, tool_calls }
  json(response, {
    choices: [{ index: 0, message, finish_reason: 'tool_calls' }],
    usage: { prompt_tokens: 3 },
  })
}

type Sent = { role: string; tool_call_id?: string; tool_calls?: object[] }[]
const { index: _first, ...signed } = first
const { index: _second, ...plain } = second

/** What the upstream must get behind both results. */
function assertSentBack(messages: unknown, calls: object[] = [signed, plain]): void {
  const sent = messages as Sent
  assert.deepEqual(sent.find(({ role }) => role === 'assistant')?.tool_calls, calls)
  assert.deepEqual(
    sent.flatMap(({ tool_call_id: id }) => id ?? []),
    ['call_a', 'call_b'],
  )
}

const tool = { name: 'weather', input_schema: { type: 'object' as const } }
for (const stream of [false, true]) {
  const how = stream ? 'streamed' : 'whole'

  test(`Anthropic’s client sends the signature back, ${how}`, async (t) => {
    const { anthropic, asked } = await nodeOver(t, 'gemini', answer)
    const request = { model: MODEL, max_tokens: 9, tools: [tool], messages: hello }
    const { content } = stream
      ? await anthropic.messages.stream(request).finalMessage()
      : await anthropic.messages.create(request)
    const results = content.flatMap((block) =>
      block.type === 'tool_use'
        ? [{ type: 'tool_result' as const, tool_use_id: block.id, content: 'sun' }]
        : [],
    )
    // The pattern of Anthropic's own API.
    for (const { tool_use_id: id } of results) assert.match(id, /^[a-zA-Z0-9_-]+$/)
    const messages = [
      ...hello,
      { role: 'assistant' as const, content },
      { role: 'user' as const, content: results },
    ]
    await anthropic.messages.create({ ...request, messages })
    assertSentBack(asked(0, 1).body.messages)
  })

  test(`so does OpenAI’s by responses, ${how}`, async (t) => {
    const { openai, asked } = await nodeOver(t, 'gemini', answer)
    const tools = [{ type: 'function' as const, name: 'weather', parameters: {}, strict: false }]
    const request = { model: MODEL, tools, store: false, input: 'Hello' }
    const { output } = stream
      ? await openai.responses.stream(request).finalResponse()
      : await openai.responses.create(request)
    const calls = output.flatMap((item) => (item.type === 'function_call' ? [item] : []))
    const results = calls.map(({ call_id }) => ({
      type: 'function_call_output' as const,
      call_id,
      output: 'sun',
    }))
    const input = [{ role: 'user' as const, content: 'Hello' }, ...calls, ...results]
    await openai.responses.create({ ...request, input })
    assertSentBack(asked(0, 1).body.messages)
  })

  test(`so does OpenAI’s by chat/completions, where it stays where Google put it, ${how}`, async (t) => {
    const { openai, asked } = await nodeOver(t, 'gemini', answer)
    const request = { model: MODEL, messages: hello }
    const [choice] = stream
      ? (await openai.chat.completions.stream(request).finalChatCompletion()).choices
      : (await openai.chat.completions.create(request)).choices
    const { message } = choice ?? assert.fail('no choice')
    const results = ['call_a', 'call_b'].map((tool_call_id) => ({
      role: 'tool' as const,
      tool_call_id,
      content: 'sun',
    }))
    await openai.chat.completions.create({ ...request, messages: [...hello, message, ...results] })
    const [call] = (asked(0, 1).body.messages as Sent)[1]?.tool_calls ?? []
    assert.deepEqual((call as typeof first).extra_content, extra_content)
  })
}

test('a provider that did not sign a call gets its id alone', async (t) => {
  const id = idWithSignature({ id: 'call_a', signature: SIGNATURE })
  const call = { type: 'tool_use' as const, id, name: 'weather', input: {} }
  const messages = [
    ...hello,
    { role: 'assistant' as const, content: [call, { ...call, id: 'call_b' }] },
    {
      role: 'user' as const,
      content: [id, 'call_b'].map((tool_use_id) => ({ type: 'tool_result' as const, tool_use_id })),
    },
  ]
  const { anthropic, asked } = await nodeOver(t, 'openai', (_, response) =>
    openaiStream(response, [delta({ content: 'Sun.' }), delta({}, 'stop')]),
  )
  await anthropic.messages.create({ model: MODEL, max_tokens: 9, tools: [tool], messages })
  const { extra_content: _, ...unsigned } = signed
  assertSentBack(asked(0).body.messages, [unsigned, plain])
})

test('of any id and any signature both come back, and an id of another’s making is left alone', () => {
  const id = fc.stringMatching(/^[a-zA-Z0-9_-]{1,40}$/).filter((text) => !text.includes('__signed'))
  const signature = fc.string({ unit: 'grapheme', minLength: 1 })
  fc.assert(
    fc.property(id, fc.option(signature, { nil: undefined }), (id, signature) => {
      assert.deepEqual(readCallId(idWithSignature({ id, signature })), { id, signature })
    }),
  )
  for (const told of [
    'a__signed_',
    '__signed_YQ',
    'a__signed_!',
    'a__signed_YQ==',
    'a__signed_YQ__signed_YQ',
    '',
  ]) {
    assert.deepEqual(readCallId(told), { id: told, signature: undefined })
  }
})
