/** In every dialect a stream, put together as its clients do, is the whole answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { callsOf, collectAnswer, textOf } from '../src/dialects/answer.ts'
import type { AnswerWriter } from '../src/dialects/dialect.ts'
import { DIALECTS } from '../src/dialects/dialects.ts'
import type { AnswerEvent, Feature, FinishReason } from '../src/engines/engine.ts'
import { openaiBridge } from '../src/engines/upstream/openaiBridge.ts'

const usage = { inputUnits: 3, outputUnits: 5 }
const features = new Set<Feature>(['chat', 'completions', 'tools', 'choices'])
type Json = Record<string, unknown>

function writerOf(path: string, members: Json): AnswerWriter {
  const dialect = DIALECTS[path] ?? assert.fail(path)
  const body = new TextEncoder().encode(JSON.stringify({ model: 'm', stream: true, ...members }))
  const reading = dialect.read(body, { 'anthropic-version': '2026-10-21' }, () => ({
    contextLength: 100,
    features,
    native: new Set(),
  }))
  assert.ok('answer' in reading, JSON.stringify(reading))
  return reading.answer({ id: 'x_1', created: 1, model: 'm' })
}

/** Both forms of one answer. */
function both<Whole, Chunk extends { type?: string }>(
  path: string,
  members: Json,
  events: readonly AnswerEvent[],
): { whole: Whole; chunks: Chunk[] } {
  const { add, answer } = collectAnswer()
  for (const event of events) add(event)
  const whole = JSON.parse(new TextDecoder().decode(writerOf(path, members).whole(answer, usage))) as Whole
  const stream = writerOf(path, members).stream()
  const text = [
    stream.open(usage.inputUnits),
    ...events.map((event, at) => stream.event(event, at + 1)),
    stream.close(usage),
    stream.terminal(),
  ].join('')
  assert.ok(text.endsWith('\n\n'))
  const chunks = text
    .split('\n\n')
    .filter((block) => block !== '' && block !== 'data: [DONE]')
    .map((block) => {
      const [event, data] = block.startsWith('event: ') ? block.split('\n') : [undefined, block]
      assert.ok(data?.startsWith('data: '), 'one line of data')
      const json = JSON.parse(data.slice(6)) as Chunk
      if (event !== undefined) assert.equal(event, `event: ${json.type}`)
      return json
    })
  return { whole, chunks }
}

const words = fc.string({
  unit: fc.constantFrom('a', 'ü', '"', '\n', '\r', ':', '🙂', 'data: [DONE]'),
  minLength: 1,
})
const pieces = fc.array(words, { minLength: 1, maxLength: 4 })
const reasons = fc.constantFrom<FinishReason>('stop', 'length', 'refusal', 'content_filter')

/** Steps of one choice: blocks of text, thinking and calls, each in pieces. */
function stepsOf(choice: number, kinds: ('text' | 'thinking' | 'tool')[]): fc.Arbitrary<AnswerEvent[]> {
  const text = pieces.map((parts) => parts.map((part): AnswerEvent => ({ type: 'text', choice, text: part })))
  const thinking = fc
    .tuple(pieces, words)
    .map(([parts, signature]): AnswerEvent[] => [
      ...parts.map((part) => ({ type: 'thinking', choice, text: part }) as const),
      { type: 'signature', choice, signature },
    ])
  const call = fc.tuple(fc.dictionary(words, fc.jsonValue()), fc.nat(20)).map(([input, cut]) => {
    const json = JSON.stringify(input)
    return [json.slice(0, cut), json.slice(cut)].filter((part) => part !== '')
  })
  const blocks = fc.array(
    fc.oneof(
      ...kinds.map((kind) =>
        kind === 'text'
          ? text
          : kind === 'thinking'
            ? thinking
            : call.map((parts) => [
                { type: 'tool', choice, index: -1, id: 'call', name: 'f' } as AnswerEvent,
                ...parts.map((part): AnswerEvent => ({ type: 'arguments', choice, index: -1, text: part })),
              ]),
      ),
    ),
    { maxLength: 5 },
  )
  return fc.tuple(blocks, reasons).map(([found, reason]) => {
    let index = -1
    const events = found.flat().map((event): AnswerEvent => {
      if (event.type === 'tool') {
        index++
        return { ...event, index, id: `call_${index}` }
      }
      return event.type === 'arguments' ? { ...event, index } : event
    })
    return [...events, { type: 'finish', choice, reason: index >= 0 ? 'tool_calls' : reason }]
  })
}

const hello = { messages: [{ role: 'user', content: 'Hi' }] }

type Call = { id: string; type: string; function: { name: string; arguments: string } }
type ChatWhole = {
  choices: { message: { content: string | null; tool_calls?: Call[] }; finish_reason: string }[]
}
type ChatDelta = { content?: string; tool_calls?: ({ index: number } & Call)[] }
type ChatChunk = {
  type?: string
  choices: { index: number; delta: ChatDelta; finish_reason: string | null }[]
}

test('chat/completions', () => {
  const answers = fc
    .tuple(stepsOf(0, ['text', 'tool']), stepsOf(1, ['text', 'tool']))
    .map((one) => one.flat())
  fc.assert(
    fc.property(answers, (events) => {
      const { whole, chunks } = both<ChatWhole, ChatChunk>('/v1/chat/completions', { ...hello, n: 2 }, events)
      const built = [0, 1].map(() => ({ content: '', calls: [] as Call[], finish: '' }))
      for (const { index, delta, finish_reason: finish } of chunks.flatMap(({ choices }) => choices)) {
        const choice = built[index] ?? assert.fail()
        choice.content += delta.content ?? ''
        for (const { index: at, ...call } of delta.tool_calls ?? []) {
          const known = choice.calls[at]
          if (known === undefined) choice.calls[at] = call
          else known.function.arguments += call.function.arguments
        }
        choice.finish = finish ?? choice.finish
      }
      for (const [at, { message, finish_reason: finish }] of whole.choices.entries()) {
        assert.equal(built[at]?.content, message.content ?? '')
        assert.deepEqual(built[at]?.calls, message.tool_calls ?? [])
        assert.equal(built[at]?.finish, finish)
      }
    }),
  )
})

type Columns = { tokens: string[]; text_offset: number[] }
type TextChoices = { type?: string; choices: { index: number; text: string; logprobs: Columns | null }[] }

/** The same answers, each token of a text told some pieces after it. */
function withLateTokens(events: readonly AnswerEvent[]): AnswerEvent[] {
  const late = new Map<number, string[]>()
  return events.map((event, at) => {
    if (event.type !== 'text') return event
    const tokens = [...(late.get(event.choice) ?? []), event.text]
    const told = at % 2 === 0 ? tokens.splice(0) : tokens.splice(0, tokens.length - 1)
    late.set(event.choice, tokens)
    return { ...event, logprobs: told.map((token) => ({ token, bytes: [], logprob: -1, top: [] })) }
  })
}

test('completions', () => {
  const answers = fc.tuple(stepsOf(0, ['text']), stepsOf(1, ['text'])).map((one) => one.flat())
  fc.assert(
    fc.property(answers, (events) => {
      const asked = { prompt: ['a', 'b'] }
      const { whole, chunks } = both<TextChoices, TextChoices>(
        '/v1/completions',
        asked,
        withLateTokens(events),
      )
      const built = ['', ''].map((text) => ({ text, tokens: [] as string[], offsets: [] as number[] }))
      for (const { index, text, logprobs } of chunks.flatMap(({ choices }) => choices)) {
        const choice = built[index] ?? assert.fail()
        choice.text += text
        choice.tokens.push(...(logprobs?.tokens ?? []))
        choice.offsets.push(...(logprobs?.text_offset ?? []))
      }
      assert.deepEqual(
        built,
        whole.choices.map(({ text, logprobs }) => ({
          text,
          tokens: logprobs?.tokens ?? [],
          offsets: logprobs?.text_offset ?? [],
        })),
      )
    }),
  )
})

type Block = { text: string; thinking: string; signature: string; input: unknown }
type Message = { content: Block[] }
type MessageChunk = {
  type: string
  index: number
  message: Message
  content_block: Block
  delta: { type: string; text: string; thinking: string; signature: string; partial_json: string }
  usage: Json
}

function messagesAgree(events: readonly AnswerEvent[]): void {
  const asked = { ...hello, max_tokens: 9 }
  const { whole, chunks } = both<Message, MessageChunk>('/v1/messages', asked, events)
  const message = chunks[0]?.message ?? assert.fail()
  const inputs: string[] = []
  for (const chunk of chunks.slice(1)) {
    const { type, index, delta } = chunk
    const block = message.content.at(-1)
    if (type === 'content_block_start') {
      assert.equal(index, message.content.length, 'blocks follow one another')
      message.content.push(chunk.content_block)
      inputs.push('')
    } else if (type === 'content_block_delta') {
      assert.ok(block !== undefined && index === message.content.length - 1)
      if (delta.type === 'text_delta') block.text += delta.text
      else if (delta.type === 'thinking_delta') block.thinking += delta.thinking
      else if (delta.type === 'signature_delta') block.signature += delta.signature
      else inputs[index] += delta.partial_json
    } else if (type === 'message_delta') Object.assign(message, delta, { usage: chunk.usage })
  }
  for (const [at, json] of inputs.entries()) {
    const block = message.content[at]
    if (json !== '' && block !== undefined) block.input = JSON.parse(json)
  }
  assert.deepEqual(message, whole)
}

test('messages', () => {
  fc.assert(fc.property(stepsOf(0, ['text', 'thinking', 'tool']), messagesAgree))
})

type Response = { output: { arguments?: string; content: { text: string }[] }[] }
type ResponseChunk = {
  type: string
  response: Response
  sequence_number: number
  output_index: number
  delta: string
}

function responsesAgree(events: readonly AnswerEvent[]): void {
  const { whole, chunks } = both<Response, ResponseChunk>('/v1/responses', { input: 'Hi' }, events)
  assert.deepEqual(chunks.at(-1)?.response, whole)
  assert.deepEqual(
    chunks.map(({ sequence_number: at }) => at),
    chunks.map((_, at) => at),
  )
  const built = whole.output.map(() => '')
  for (const { type, output_index: at, delta } of chunks) if (type.endsWith('.delta')) built[at] += delta
  assert.deepEqual(
    built,
    whole.output.map((item) => item.arguments ?? item.content[0]?.text),
  )
}

test('responses', () => {
  fc.assert(fc.property(stepsOf(0, ['text', 'tool']), responsesAgree))
})

test('whatever an upstream of OpenAI’s dialect writes into its calls, no dialect breaks off', () => {
  const inputs = fc.array(fc.dictionary(words, fc.jsonValue()), { minLength: 1, maxLength: 3 })
  const turns = fc.array(fc.record({ who: fc.nat(4), much: fc.integer({ min: 0, max: 6 }) }), {
    maxLength: 30,
  })
  fc.assert(
    fc.property(inputs, turns, fc.boolean(), (given, order, isBare) => {
      const { read } = openaiBridge.reader([])
      const events: AnswerEvent[] = []
      const chunk = (delta: Json, finish: string | null = null): void => {
        events.push(...read({ choices: [{ index: 0, delta, finish_reason: finish }] }))
      }
      const rest = given.map((input) =>
        isBare && Object.keys(input).length === 0 ? '' : JSON.stringify(input),
      )
      const write = (index: number, much: number): void => {
        const piece = rest[index]?.slice(0, much) ?? ''
        rest[index] = rest[index]?.slice(much) ?? ''
        chunk({ tool_calls: [{ index, function: { arguments: piece } }] })
      }
      for (const [index] of given.entries()) {
        chunk({ tool_calls: [{ index, id: `call_${index}`, function: { name: 'f', arguments: '' } }] })
      }
      let said = ''
      for (const { who, much } of order) {
        if (who < given.length) write(who, much)
        else {
          chunk(who === 4 ? { content: 'x'.repeat(much) } : { reasoning_content: 'h'.repeat(much) })
          if (who === 4) said += 'x'.repeat(much)
        }
      }
      for (const [index] of given.entries()) write(index, Number.POSITIVE_INFINITY)
      chunk({}, 'tool_calls')
      messagesAgree(events)
      responsesAgree(events)
      const { add, answer } = collectAnswer()
      for (const event of events) add(event)
      const [choice = assert.fail()] = answer.choices
      assert.equal(textOf(choice), said)
      assert.deepEqual(
        callsOf(choice).map((call) => JSON.parse(call.arguments)),
        given.map((input) => JSON.parse(JSON.stringify(input))),
      )
    }),
  )
})
