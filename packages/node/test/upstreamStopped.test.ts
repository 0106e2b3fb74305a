/** A stream that an upstream makes and its client has heard enough of ends as the vendors' clients want an answer to end. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { responseHash, STATUS, stripSseComments } from '@assay/protocol'
import OpenAI from 'openai'
import { MODEL, PLENTY, paidHeaders, payment } from './harness.ts'
import { delta } from './scriptedUpstream.ts'
import { hello, nodeOver } from './upstreamNode.ts'

type Provider = Parameters<typeof nodeOver>[1]

/** Stops a stream once the upstream has said so much, checks what its receipt covers, and gives it to a client. */
async function stopped(
  t: TestContext,
  provider: Provider,
  path: string,
  events: readonly object[],
  members: object,
): Promise<() => Promise<Response>> {
  const asked = Promise.withResolvers<void>()
  const { node } = await nodeOver(t, provider, (_, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of events) {
      const name = 'type' in event ? `event: ${event.type}\n` : ''
      response.write(`${name}data: ${JSON.stringify(event)}\n\n`)
    }
    asked.resolve()
  })
  const paid = await payment(PLENTY)
  const body = JSON.stringify({ model: MODEL, stream: true, max_tokens: 9, ...members })
  const headers = await paidHeaders(paid, { 'anthropic-version': '2023-06-01' })
  const answered = fetch(node.url + path, { method: 'POST', body, headers })
  await Promise.race([asked.promise, answered])
  const read = answered.then(async (answer) => {
    const seen: Uint8Array[] = []
    let text = ''
    const reader = answer.body?.getReader() ?? assert.fail('no body')
    const last = JSON.stringify(events.at(-1))
    for (let stops = 0; ; ) {
      if (stops === 0 && text.includes(last)) stops = (await stop()).status
      const { done, value } = await reader.read()
      if (done) return Buffer.concat(seen)
      seen.push(value)
      text += new TextDecoder().decode(value)
    }
  })
  const stop = () => fetch(`${node.url}/v1/requests/${paid.requestId}/stop`, { method: 'POST' })
  if (events.length === 0) assert.equal((await stop()).status, 202)
  const bytes = await read
  const { receipt } = node.receipts.find(paid.requestId) ?? assert.fail('no receipt')
  assert.equal(receipt.status, STATUS.cancelled)
  const covered = { status: 200, contentType: 'text/event-stream', body: stripSseComments(bytes) }
  assert.equal(receipt.responseHash, responseHash(covered))
  return async () => new Response(bytes, { headers: { 'content-type': 'text/event-stream' } })
}

const chat = { messages: hello, stream_options: { include_usage: true } }
const openai = (fetch: () => Promise<Response>) => new OpenAI({ apiKey: 'unused', fetch, maxRetries: 0 })
const anthropic = (fetch: () => Promise<Response>) =>
  new Anthropic({ apiKey: 'unused', fetch, maxRetries: 0 })

test('chat/completions: every choice that had begun says why it ended, and the usage is told', async (t) => {
  const two = (index: number, content: string, finish: string | null = null) =>
    delta({ role: 'assistant', content }, finish, { index })
  const said = [two(0, 'Par'), two(1, 'Lyon', 'length'), two(0, 'is')]
  const answer = await stopped(t, 'openai', '/v1/chat/completions', said, { ...chat, n: 2 })
  const stream = openai(answer).chat.completions.stream({ model: MODEL, ...chat, stream: true })
  const { choices, usage } = await stream.finalChatCompletion()
  assert.deepEqual(
    choices.map(({ message, finish_reason: reason }) => [message.content, reason]),
    [
      ['Paris', 'stop'],
      ['Lyon', 'length'],
    ],
  )
  assert.equal(usage?.completion_tokens, 3)
})

test('chat/completions that were stopped before their first word are an empty answer', async (t) => {
  const answer = await stopped(t, 'openai', '/v1/chat/completions', [], { messages: hello })
  const stream = openai(answer).chat.completions.stream({ model: MODEL, messages: hello })
  const [choice] = (await stream.finalChatCompletion()).choices
  assert.deepEqual([choice?.message.content ?? '', choice?.finish_reason], ['', 'stop'])
})

test('completions', async (t) => {
  const said = [
    { id: 'c', object: 'text_completion', choices: [{ index: 0, text: 'Paris', finish_reason: null }] },
  ]
  const answer = await stopped(t, 'openai', '/v1/completions', said, { prompt: 'Hi' })
  const reasons: unknown[] = []
  for await (const { id, choices } of await openai(answer).completions.create({
    model: MODEL,
    prompt: 'Hi',
    stream: true,
  })) {
    reasons.push([id, choices[0]?.text, choices[0]?.finish_reason])
  }
  assert.deepEqual(reasons, [
    ['c', 'Paris', null],
    ['c', '', 'stop'],
  ])
})

const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'theirs',
  content: [],
  stop_reason: null,
}
const begun = [
  { type: 'message_start', message: { ...message, usage: { input_tokens: 5, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Paris' } },
]
const asksClaude = { model: MODEL, max_tokens: 9, messages: hello }

test('messages: the open block is closed, and the message says why it ended', async (t) => {
  const answer = await stopped(t, 'anthropic', '/v1/messages', begun, { messages: hello })
  const events: string[] = []
  const stream = anthropic(answer).messages.stream(asksClaude)
  stream.on('streamEvent', ({ type }) => events.push(type))
  const { content, stop_reason: reason } = await stream.finalMessage()
  assert.deepEqual(content, [{ type: 'text', text: 'Paris' }])
  assert.equal(reason, 'end_turn')
  assert.deepEqual(events.slice(3), ['content_block_stop', 'message_delta', 'message_stop'])
})

test('messages that were stopped before their first word are an empty answer', async (t) => {
  const answer = await stopped(t, 'anthropic', '/v1/messages', [], { messages: hello })
  const { content, stop_reason: reason } = await anthropic(answer).messages.stream(asksClaude).finalMessage()
  assert.deepEqual([content, reason], [[], 'end_turn'])
})
