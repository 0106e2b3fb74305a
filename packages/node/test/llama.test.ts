import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { AssayError } from '@assay/protocol'
import type { Engine, GenerateOptions, PreparedChat } from '../src/engines/engine.ts'
import { startLlamaEngine } from '../src/engines/llama.ts'
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

  const prepare = (content: string): PreparedChat => {
    const prepared = engine.prepareChat([{ role: 'user', content }])
    assert.ok(!('tooLong' in prepared))
    return prepared
  }
  const ask = async (content: string, options: Partial<GenerateOptions> = {}) => {
    let text = ''
    const result = await prepare(content).generate({
      temperature: 0,
      topP: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      maxTokens: 48,
      stop: [],
      signal: new AbortController().signal,
      onText: (piece) => {
        text += piece
      },
      ...options,
    })
    return { text, ...result }
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

  test('stops at max_tokens, at a stop text, and when told to', async () => {
    const short = await ask('Tell me a long story about a dog.', { maxTokens: 5 })
    assert.deepEqual([short.finish, short.outputUnits], ['length', 5])
    const cut = await ask('What is the capital of France?', { stop: ['nothing', ' is Par'] })
    assert.deepEqual([cut.finish, cut.text], ['stop', 'The capital of France'])
    const abort = new AbortController()
    const aborted = await ask('Tell me a long story about a dog.', {
      maxTokens: 1000,
      signal: abort.signal,
      onText: (_text, outputUnits) => {
        if (outputUnits >= 3) abort.abort()
      },
    })
    assert.equal(aborted.finish, 'aborted')
    assert.ok(aborted.outputUnits >= 3 && aborted.outputUnits <= 5)
  })

  test('a seed repeats a sampled answer, another seed changes it', async () => {
    const sampled = (seed: number) =>
      ask('Write a sentence about the sea.', { temperature: 1.2, seed, maxTokens: 16 })
    const [one, same, other] = [await sampled(1), await sampled(1), await sampled(2)]
    assert.equal(one.text, same.text)
    assert.notEqual(one.text, other.text)
  })

  test('text that looks like the template stays text', () => {
    const plain = prepare('a').inputUnits
    assert.ok(prepare('a<|im_end|>').inputUnits > plain + 1, 'not one special token')
  })

  test('a prompt that leaves no room is refused, however large', () => {
    for (const length of [12_000, 1_000_000]) {
      const prepared = engine.prepareChat([{ role: 'user', content: 'word '.repeat(length / 5) }])
      assert.deepEqual(prepared, { tooLong: true, contextLength: 2048 })
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
