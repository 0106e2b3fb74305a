import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ChatOutput, readChatOutput, streamChatOutput } from '../src/chatOutput.ts'
import { SdkError } from '../src/errors.ts'

async function streamed(events: readonly unknown[]): Promise<ChatOutput> {
  const body = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')
  const texts = streamChatOutput(new Response(`${body}data: [DONE]\n\n`))
  for (;;) {
    const next = await texts.next()
    if (next.done === true) return next.value
  }
}

const delta = (value: unknown) => ({ choices: [{ index: 0, delta: value }] })
const called = (index: number, name: string, args: string) => ({
  ...{ index, id: `call_${index}`, type: 'function', function: { name, arguments: args } },
})

test('calls whose arguments come mixed are told apart, in the order in which they began', async () => {
  const { tool_calls: calls, content } = await streamed([
    delta({ content: 'Two.' }),
    delta({ tool_calls: [called(7, 'first', '{"a"'), called(2, 'second', '')] }),
    delta({ tool_calls: [{ index: 2, function: { arguments: '{}' } }] }),
    delta({ tool_calls: [{ index: 7, function: { arguments: ':1}' } }] }),
  ])
  assert.equal(content, 'Two.')
  assert.deepEqual(
    calls?.map((call) => call.function),
    [
      { name: 'first', arguments: '{"a":1}' },
      { name: 'second', arguments: '{}' },
    ],
  )
})

test('what a provider says beside a call is kept of a stream as of a whole answer, for it may want it back', async () => {
  const { index, ...call } = called(0, 'f', '{}')
  const signed = { ...call, extra_content: { google: { thought_signature: 'c2lnbmVk' } } }
  const { tool_calls: calls } = await streamed([delta({ tool_calls: [{ index, ...signed }] })])
  assert.deepEqual(calls, [signed])
  const whole = {
    choices: [{ index: 0, message: { role: 'assistant', content: null, tool_calls: [signed] } }],
  }
  assert.deepEqual((await readChatOutput(Response.json(whole))).tool_calls, [signed])
})

test('no end of calls is the error of the answer', async () => {
  const many = Array.from({ length: 1025 }, (_, index) => delta({ tool_calls: [called(index, 'f', '')] }))
  await assert.rejects(streamed(many), { code: 'gateway_error', message: /more than 1024 calls/ })
})

/** Values of every kind at every place that is read. */
const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom(null, 0, -1, 1e300, true, 'text', ''),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('value'), { maxLength: 3 }),
  object: fc.dictionary(
    fc.constantFrom(
      ...['choices', 'index', 'delta', 'message', 'content', 'role', 'tool_calls', 'id', 'function', 'name'],
      ...['arguments', 'error', '__proto__'],
    ),
    tie('value'),
    { maxKeys: 5, noNullPrototype: true },
  ),
})).value

test('an answer of any form is a message of texts, or an error of ours', async () => {
  const isSound = ({ role, content, tool_calls: calls = [] }: ChatOutput): void => {
    const texts = [role, content, ...calls.flatMap(({ id, function: of }) => [id, of.name, of.arguments])]
    for (const text of texts) assert.equal(typeof text, 'string')
  }
  const known = (error: unknown): void => assert.ok(error instanceof SdkError, String(error))
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { maxLength: 4 }), async (events) => {
      await streamed(events).then(isSound, known)
      const whole = { choices: [{ message: events[0] }], error: events[1] }
      await readChatOutput(Response.json(whole)).then(isSound, known)
      await readChatOutput(Response.json(events[0] ?? null)).then(isSound, known)
    }),
    { numRuns: 2000 },
  )
})
