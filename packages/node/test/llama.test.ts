import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { collectAnswer, textOf } from '../src/dialects/answer.ts'
import type { ChatMessage, ChatWork, Engine, Prepared, Settings } from '../src/engines/engine.ts'
import { startLlamaEngine } from '../src/engines/llama/startLlamaEngine.ts'
import { pullModel } from '../src/models/pullModel.ts'
import { SMOLLM2_MANIFEST } from '../src/models/smollm2.ts'

const pulled = await pullModel({
  cacheDir: new URL('../../../.assay/models', import.meta.url).pathname,
}).catch((error: AssayError) => error)

describe('the real model', { skip: pulled instanceof AssayError ? pulled.message : false }, () => {
  let engine: Engine
  before(async () => {
    if (pulled instanceof AssayError) throw pulled
    engine = await startLlamaEngine({ path: pulled.path, manifest: SMOLLM2_MANIFEST })
  })
  after(() => engine?.close())

  type Asked = Partial<Omit<ChatWork, 'settings'>> &
    Partial<Settings> & { signal?: AbortSignal; onUnits?: (units: number) => void }
  const prepare = (content: string, asked: Asked = {}): Prepared => {
    const { sampling = {}, maxTokens = 48, stop = [], choices = 1, logprobs, ...rest } = asked
    const prepared = engine.prepare({
      kind: 'chat',
      messages: [{ role: 'user', content: [{ type: 'text', text: content }] }],
      tools: [],
      toolChoice: 'auto',
      parallelTools: true,
      format: { type: 'text' },
      ...rest,
      settings: { sampling, maxTokens, stop, choices, logprobs },
    })
    assert.ok('run' in prepared, JSON.stringify(prepared))
    return prepared
  }
  const ask = async (content: string, asked: Asked = {}) => {
    const { add, answer } = collectAnswer()
    const { outputUnits } = await prepare(content, asked).run({
      signal: asked.signal ?? new AbortController().signal,
      emit(event, units) {
        add(event)
        asked.onUnits?.(units)
      },
    })
    const [first] = answer.choices
    return { text: first === undefined ? '' : textOf(first), finish: first?.finish, outputUnits, answer }
  }

  test('answers sensibly, twice the same, with exact counts', async () => {
    const first = await ask('What is the capital of France?')
    assert.match(first.text, /Paris/)
    assert.equal(first.finish, 'stop')
    // "The capital of France is Paris." in this tokenizer; the end-of-turn token is not counted.
    assert.equal(first.outputUnits, 7)
    assert.equal(prepare('What is the capital of France?').inputUnits, 27)
    const [again, beside] = await Promise.all([
      ask('What is the capital of France?'),
      ask('Count from one to five.'),
    ])
    assert.equal(again.text, first.text, 'an answer beside it must not change it')
    assert.notEqual(beside.text, first.text)
  })

  test('who speaks reaches the model, which tells one from another by it', async () => {
    const say = (name: string, text: string): ChatMessage => ({
      role: 'user',
      name,
      content: [{ type: 'text', text }],
    })
    const messages = [
      say('Alice', 'My favourite animal is the cat.'),
      say('Bob', 'My favourite animal is the dog.'),
      say('Carol', 'What is the favourite animal of Bob?'),
    ]
    assert.match((await ask('', { messages })).text, /Bob is the dog/)
  })

  test('stops at max_tokens, at a stop text, and when told to', async () => {
    const short = await ask('Tell me a long story about a dog.', { maxTokens: 5 })
    assert.deepEqual([short.finish, short.outputUnits], ['length', 5])
    const cut = await ask('What is the capital of France?', { stop: ['nothing', ' is Par'] })
    assert.deepEqual([cut.finish, cut.text], ['stop', 'The capital of France'])
    assert.equal(cut.answer.choices[0]?.stopText, ' is Par')
    const abort = new AbortController()
    const aborted = await ask('Tell me a long story about a dog.', {
      maxTokens: 1000,
      signal: abort.signal,
      onUnits: (units) => {
        if (units >= 3) abort.abort()
      },
    })
    assert.ok(aborted.outputUnits >= 3 && aborted.outputUnits <= 5)
  })

  test('a seed repeats a sampled answer, another seed changes it', async () => {
    const sampled = (seed: number) =>
      ask('Write a sentence about the sea.', { sampling: { temperature: 1.2, seed }, maxTokens: 16 })
    const [one, same, other] = [await sampled(1), await sampled(1), await sampled(2)]
    assert.equal(one.text, same.text)
    assert.notEqual(one.text, other.text)
    // The ends of what 32 bits hold, of which the engine takes one for "none".
    for (const seed of [-1, 0, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      assert.equal((await sampled(seed)).text, (await sampled(seed)).text, `seed ${seed}`)
    }
  })

  test('without a seed no two answers are drawn alike, however quickly they follow one another', async () => {
    const drawn = await ask('Write a sentence about the sea.', {
      sampling: { temperature: 2 },
      maxTokens: 8,
      choices: 8,
    })
    const texts = drawn.answer.choices.map(textOf)
    assert.equal(new Set(texts).size, texts.length, texts.join('\n'))
  })

  const weather = {
    name: 'get_weather',
    description: 'Current weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', maxLength: 40 }, unit: { enum: ['celsius', 'fahrenheit'] } },
      required: ['city', 'unit'],
      additionalProperties: false,
    },
    strict: true,
    place: 'tools[0].function.parameters',
  }
  const clock = {
    name: 'get_time',
    parameters: { type: 'object', properties: {} },
    strict: false,
    place: 'x',
  }

  test('calls the function it is told to, with arguments that follow the schema', async () => {
    for (const toolChoice of ['required', { name: 'get_weather' }] as const) {
      const { answer, finish } = await ask('What is the weather in Paris, in celsius?', {
        tools: [weather, ...(toolChoice === 'required' ? [] : [clock])],
        toolChoice,
        parallelTools: false,
        maxTokens: 100,
      })
      const [call, ...more] = answer.choices[0]?.blocks ?? []
      assert.ok(call?.type === 'tool' && more.length === 0, JSON.stringify(answer))
      assert.equal(call.name, 'get_weather')
      const { city, unit, ...rest } = JSON.parse(call.arguments)
      assert.equal(city, 'Paris')
      assert.ok(['celsius', 'fahrenheit'].includes(unit))
      assert.deepEqual(rest, {})
      assert.equal(finish, 'tool_calls')
    }
  })

  test('a limit within the opening of a call leaves no words of it', async () => {
    for (const maxTokens of [1, 2]) {
      const cut = await ask('Weather in Paris?', { tools: [weather], toolChoice: 'required', maxTokens })
      assert.deepEqual([cut.text, cut.finish, cut.outputUnits], ['', 'length', maxTokens])
    }
  })

  test('a stop text ends words, and does not cut a call in half', async () => {
    const called = await ask('What is the weather in Paris, in celsius?', {
      tools: [weather],
      toolChoice: 'required',
      stop: ['[', 'city', 'a'],
      maxTokens: 100,
    })
    const [call] = called.answer.choices[0]?.blocks ?? []
    assert.ok(call?.type === 'tool', JSON.stringify(called.answer))
    assert.ok('city' in (JSON.parse(call.arguments) as object))
    assert.deepEqual([called.finish, called.answer.choices[0]?.stopText], ['tool_calls', undefined])
    const said = await ask('What is the capital of France?', { tools: [weather], stop: [' is Par'] })
    assert.deepEqual([said.finish, said.answer.choices[0]?.stopText], ['stop', ' is Par'])
    assert.ok(!said.text.includes(' is Par'))
  })

  test('may call or not where it is free to, several functions if it likes, and none where it must not', async () => {
    const several = await ask('What is the weather in Paris and in Rome?', {
      tools: [weather, clock],
      toolChoice: 'required',
      maxTokens: 200,
    })
    for (const block of several.answer.choices[0]?.blocks ?? []) {
      assert.ok(block.type === 'tool')
      if (several.finish === 'tool_calls') JSON.parse(block.arguments)
    }
    const free = await ask('What is the capital of France?', { tools: [weather] })
    assert.ok(free.answer.choices[0]?.blocks.every(({ type }) => type === 'text' || type === 'tool'))
    const never = await ask('What is the capital of France?', { tools: [weather], toolChoice: 'none' })
    assert.match(never.text, /Paris/)
  })

  test('writes JSON when asked for it, by schema when one is given', async () => {
    const object = await ask('Give me a JSON object about a cat.', {
      format: { type: 'json_object', place: 'response_format' },
      maxTokens: 300,
      sampling: { temperature: 1, seed: 3 },
    })
    if (object.finish === 'stop') assert.equal(typeof JSON.parse(object.text), 'object')
    else assert.match(object.text, /^\{/)
    const person = {
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 20 },
        age: { type: 'integer' },
        pets: { type: 'array', items: { $ref: '#/$defs/pet' }, maxItems: 2 },
        nick: { type: ['string', 'null'], maxLength: 9 },
      },
      required: ['name', 'age', 'nick'],
      $defs: { pet: { type: 'object', properties: { kind: { enum: ['cat', 'dog'] } }, required: ['kind'] } },
    }
    const format = { type: 'json_schema', name: 'person', schema: person, strict: true, place: 'p' } as const
    for (const seed of [1, 2, 3]) {
      const { text, finish } = await ask('Describe Ann, who is 30 and has a dog.', {
        format,
        sampling: { temperature: 1, seed },
        maxTokens: 120,
      })
      assert.equal(finish, 'stop', text)
      const found = JSON.parse(text)
      assert.equal(typeof found.name, 'string')
      assert.ok(Number.isInteger(found.age))
      assert.ok(found.nick === null || typeof found.nick === 'string')
      for (const { kind } of found.pets ?? []) assert.ok(['cat', 'dog'].includes(kind))
      assert.ok((found.pets ?? []).length <= 2)
    }
    const refused = engine.prepare({
      kind: 'chat',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }] }],
      tools: [],
      toolChoice: 'auto',
      parallelTools: true,
      format: { ...format, schema: { type: 'object', properties: { a: { type: 'string', pattern: 'x' } } } },
      settings: { sampling: {}, maxTokens: 9, stop: [], choices: 1 },
    })
    assert.ok('unsupported' in refused)
    assert.equal(refused.unsupported.param, 'p.properties.a.pattern')
  })

  test('several choices differ, each as it would be alone', async () => {
    const asked = { sampling: { temperature: 1.2, seed: 5 }, maxTokens: 8 }
    const { answer, outputUnits } = await ask('Write a sentence about the sea.', { ...asked, choices: 2 })
    const [one, two] = answer.choices.map(textOf)
    assert.notEqual(one, two)
    assert.equal(outputUnits, 16)
    const alone = await ask('Write a sentence about the sea.', {
      ...asked,
      sampling: { temperature: 1.2, seed: 6 },
    })
    assert.equal(alone.text, two)
  })

  test('log-probabilities spell the answer, and name the alternatives', async () => {
    const { answer, text, outputUnits } = await ask('What is the capital of France?', { logprobs: 3 })
    const entries = answer.choices[0]?.logprobs ?? []
    assert.equal(entries.map(({ token }) => token).join(''), text)
    assert.equal(entries.length, outputUnits)
    for (const { logprob, top, token } of entries) {
      assert.ok(logprob <= 0 && logprob > -5)
      assert.equal(top.length, 3)
      assert.equal(top[0]?.token, token, 'greedy takes the likeliest')
    }
    const cut = await ask('What is the capital of France?', { logprobs: 0, stop: [' is'] })
    assert.equal(cut.answer.choices[0]?.logprobs?.map(({ token }) => token).join(''), cut.text)
  })

  test('log-probabilities have the bytes of characters that several tokens make up', async () => {
    const { answer, text } = await ask('Repeat exactly: 🦜🦜 日本語 né', { logprobs: 2, stop: ['\n'] })
    assert.match(text, /🦜.*日本/)
    const entries = answer.choices[0]?.logprobs ?? []
    assert.equal(Buffer.from(entries.flatMap(({ bytes }) => bytes)).toString(), text)
    assert.ok(entries.some(({ token }) => token.includes('\ufffd')))
    for (const { top, bytes } of entries) assert.deepEqual(top[0]?.bytes, bytes)
  })

  test('no log-probability is told of a token before all of it, or of one that a stop text cut', async () => {
    const told: [text: string, tokens: string][] = []
    const { run } = prepare('What is the capital of France?', { logprobs: 0, stop: ['ital of Fra'] })
    await run({
      signal: new AbortController().signal,
      emit(event) {
        if (event.type !== 'text') return
        told.push([event.text, (event.logprobs ?? []).map(({ token }) => token).join('')])
      },
    })
    assert.deepEqual(told, [
      ['The', 'The'],
      [' cap', ''],
    ])
    // Held back as it may be the beginning of a stop text, and told with its end.
    const held = await ask('What is the capital of France?', { logprobs: 0, stop: ['capital of Germany'] })
    assert.equal(held.answer.choices[0]?.logprobs?.map(({ token }) => token).join(''), held.text)
  })

  test('log-probabilities spell an answer in words where functions may be called, too', async () => {
    const { answer, text } = await ask('What is the capital of France?', { logprobs: 1, tools: [weather] })
    assert.notEqual(text, '')
    assert.equal(answer.choices[0]?.logprobs?.map(({ token }) => token).join(''), text)
  })

  test('continues plain texts, and embeds texts as unit vectors that know what is alike', async () => {
    const settings: Settings = { sampling: {}, maxTokens: 2, stop: [], choices: 1 }
    const continued = collectAnswer()
    const completion = engine.prepare({
      kind: 'completion',
      prompts: ['The capital of France is', 'One, two, three,'],
      settings,
    })
    assert.ok('run' in completion)
    const signal = new AbortController().signal
    const usage = await completion.run({ signal, emit: continued.add })
    const [paris = '', four = ''] = continued.answer.choices.map(textOf)
    assert.equal(paris, ' Paris.')
    assert.match(four, /four/)
    assert.equal(usage.outputUnits, 4)
    const collected = collectAnswer()
    const embedding = engine.prepare({
      kind: 'embedding',
      inputs: ['A cat sat.', 'A cat sat.', 'Stocks fell.'],
    })
    assert.ok('run' in embedding)
    const spent = await embedding.run({ signal, emit: collected.add })
    const [a = [], b = [], c = []] = collected.answer.embeddings
    const dot = (x: readonly number[], y: readonly number[]) =>
      x.reduce((sum, v, at) => sum + v * (y[at] ?? 0), 0)
    assert.equal(a.length, 576)
    assert.ok(Math.abs(dot(a, a) - 1) < 1e-6)
    assert.ok(dot(a, b) > 0.9999 && dot(a, c) < 0.99)
    assert.equal(spent.outputUnits, 3)
    const refused = engine.prepare({ kind: 'embedding', inputs: ['a'], dimensions: 5 })
    assert.ok('unsupported' in refused && refused.unsupported.param === 'dimensions')
  })

  test('text that looks like the template stays text', () => {
    const plain = prepare('a').inputUnits ?? 0
    assert.ok((prepare('a<|im_end|>').inputUnits ?? 0) > plain + 1, 'not one special token')
  })

  test('a prompt that leaves no room is refused, however large', () => {
    for (const length of [12_000, 1_000_000]) {
      const inputs = ['word '.repeat(length / 5)]
      assert.deepEqual(engine.prepare({ kind: 'embedding', inputs }), { tooLong: true, contextLength: 2048 })
      const settings = { sampling: {}, maxTokens: 1, stop: [], choices: 1 }
      assert.deepEqual(engine.prepare({ kind: 'completion', prompts: inputs, settings }), {
        tooLong: true,
        contextLength: 2048,
      })
    }
  })

  test('other weights than the manifest names are not loaded', async () => {
    const file = { ...SMOLLM2_MANIFEST.files[0], sha256: `0x${'00'.repeat(32)}` } as const
    await assert.rejects(
      startLlamaEngine({
        path: (pulled as { path: string }).path,
        manifest: { ...SMOLLM2_MANIFEST, files: [{ name: 'x', bytes: 1n, ...file }] },
      }),
      (error: AssayError) => error.code === 'config',
    )
  })
})
