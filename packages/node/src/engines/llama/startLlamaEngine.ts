import { randomInt } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { AssayError, type ModelManifest } from '@assay/protocol'
import {
  getLlama,
  JinjaTemplateChatWrapper,
  type LlamaContextSequence,
  type LlamaEmbeddingContext,
  LlamaLogLevel,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp'
import { sha256File } from '../../enclaves/sha256File.ts'
import type {
  CompletionWork,
  Engine,
  Feature,
  Prepared,
  PromptTooLong,
  Settings,
  Unsupported,
} from '../engine.ts'
import { chatHistory, chatText } from './chatPrompt.ts'
import { createGenerator, type Generator } from './generate.ts'
import { SchemaRefused } from './grammarParts.ts'
import { answerGrammar, createToolCallReader, OPENING } from './toolCalls.ts'

export type LlamaEngineParameters = {
  path: string
  manifest: ModelManifest
  /** 1 by default: two threads on two busy cores slow each other down to a crawl. */
  threads?: 1 | 2 | undefined
  /** Answers generated side by side, batched by the engine. */
  concurrency?: number | undefined
}

const FEATURES: ReadonlySet<Feature> = new Set([
  'chat',
  'completions',
  'embeddings',
  'tools',
  'json',
  'logprobs',
  'choices',
  'sampling',
  'top_k',
  'seed',
  'penalties',
  'names',
])

/**
 * llama.cpp in this process, on the CPU. The weights are hashed against the manifest and then read into memory, not
 * mapped: a mapped file could be changed by the host after the check.
 * @throws AssayError `config` when the file is not the one of the manifest
 */
export async function startLlamaEngine(parameters: LlamaEngineParameters): Promise<Engine> {
  const { path, manifest, threads = 1, concurrency = 2 } = parameters
  const { contextLength } = manifest
  const { llama, model } = await loadChecked(path, manifest)
  const context = await model.createContext({
    contextSize: contextLength,
    sequences: concurrency,
    threads,
    batchSize: 512,
  })
  const free: LlamaContextSequence[] = Array.from({ length: concurrency }, () => context.getSequence())
  const template = model.fileInfo.metadata.tokenizer.chat_template
  if (template === undefined) {
    throw new AssayError('The model has no chat template.', { code: 'config', facts: { path } })
  }
  const wrapper = new JinjaTemplateChatWrapper({ template, tokenizer: model.tokenizer })
  const generator = createGenerator(llama, model, contextLength)
  let embedder: Promise<LlamaEmbeddingContext> | undefined

  // A text of more bytes than the context could hold of the longest token is refused before it is tokenised.
  const longestToken = lengthOfLongestToken(model)
  const tooLong: PromptTooLong = { tooLong: true, contextLength }
  const isHopeless = (text: string): boolean => Buffer.byteLength(text) > contextLength * longestToken
  /** At least one token of room, or there is nothing to answer with. */
  const fits = (tokens: readonly Token[]): boolean => tokens.length < contextLength

  const run =
    (work: (generate: Generator) => Promise<number>, inputUnits: number): Prepared['run'] =>
    async () => {
      const sequence = free.pop()
      if (sequence === undefined) {
        throw new AssayError('All sequences of the engine are busy.', { code: 'conflict' })
      }
      try {
        return { inputUnits, outputUnits: await work(generator.on(sequence)) }
      } finally {
        free.push(sequence)
      }
    }

  const embed = async (
    inputs: readonly Token[][],
    options: Parameters<Prepared['run']>[0],
  ): Promise<number> => {
    // A context of its own, made when first needed: most nodes never embed.
    embedder ??= model.createEmbeddingContext({
      contextSize: contextLength,
      threads,
      batchSize: contextLength,
    })
    const { getEmbeddingFor } = await bound(embedder)
    for (const [index, tokens] of inputs.entries()) {
      if (options.signal.aborted) return index
      const { vector } = await getEmbeddingFor(tokens)
      const norm = Math.hypot(...vector)
      options.emit({ type: 'embedding', index, vector: vector.map((value) => value / norm) }, index + 1)
    }
    return inputs.length
  }

  return {
    contextLength,
    concurrency,
    engineClass: 0,
    features: FEATURES,
    native: new Set(),
    prepare(work) {
      if (work.kind === 'native' || work.kind === 'tensor') {
        throw new Error('unreachable: no feature of this engine admits it')
      }
      if (work.kind === 'embedding') {
        if (work.dimensions !== undefined && work.dimensions !== model.embeddingVectorSize) {
          const message = `\`dimensions\` can only be ${model.embeddingVectorSize}, the model's own.`
          return { unsupported: { message, param: 'dimensions' } }
        }
        if (work.inputs.some(isHopeless)) return tooLong
        const inputs = work.inputs.map((text) => model.tokenize(text))
        if (!inputs.every(fits)) return tooLong
        const inputUnits = inputs.reduce((sum, tokens) => sum + tokens.length, 0)
        return {
          inputUnits,
          run: async (options) => ({ inputUnits, outputUnits: await embed(inputs, options) }),
        }
      }
      if (work.kind === 'completion') return prepareCompletion(work)
      if (isHopeless(chatText(work))) return tooLong
      const grammar = compileOrRefuse(() => answerGrammar(work))
      if (typeof grammar === 'object') return grammar
      const prompt = wrapper
        .generateContextState({ chatHistory: chatHistory(work) })
        .contextText.tokenize(model.tokenizer)
      if (!fits(prompt)) return tooLong
      const usesTools = work.tools.length > 0 && work.toolChoice !== 'none'
      const inputUnits = prompt.length
      return {
        inputUnits,
        run: (options) =>
          run(async (generate) => {
            let units = 0
            for (let choice = 0; choice < work.settings.choices && !options.signal.aborted; choice++) {
              const reader = usesTools ? createToolCallReader(choice) : undefined
              units += await generate(prompt, {
                ...settingsOf(work.settings, choice),
                grammar,
                // A stop text ends words. In a call it would leave half of one, and show how calls are written here.
                stopExcept: usesTools ? OPENING : undefined,
                signal: options.signal,
                onText(text, logprobs, outputUnits) {
                  const events = reader?.push(text, logprobs) ?? [{ type: 'text', choice, text, logprobs }]
                  for (const event of events) options.emit(event, units + outputUnits)
                },
                onEnd({ reason, stopText }, outputUnits) {
                  const called = reason === 'stop' && (reader?.calls() ?? 0) > 0
                  options.emit(
                    { type: 'finish', choice, reason: called ? 'tool_calls' : reason, stopText },
                    units + outputUnits,
                  )
                },
              })
            }
            return units
          }, inputUnits)(options),
      }
    },
    close: () => llama.dispose(),
  }

  function prepareCompletion(work: CompletionWork): Prepared | PromptTooLong | Unsupported {
    if (work.prompts.some(isHopeless)) return tooLong
    const { bos, shouldPrependBosToken } = model.tokens
    const prompts = work.prompts.map((text) => {
      const tokens = model.tokenize(text)
      return shouldPrependBosToken && bos !== null ? [bos, ...tokens] : tokens
    })
    if (prompts.some((tokens) => tokens.length === 0)) {
      return {
        unsupported: {
          message: '`prompt` must not be empty: there is nothing to continue.',
          param: 'prompt',
        },
      }
    }
    if (!prompts.every(fits)) return tooLong
    const inputUnits = prompts.reduce((sum, tokens) => sum + tokens.length, 0)
    const { choices } = work.settings
    return {
      inputUnits,
      run: (options) =>
        run(async (generate) => {
          let units = 0
          for (const [at, prompt] of prompts.entries()) {
            for (let turn = 0; turn < choices && !options.signal.aborted; turn++) {
              const choice = at * choices + turn
              units += await generate(prompt, {
                ...settingsOf(work.settings, turn),
                signal: options.signal,
                onText: (text, logprobs, outputUnits) =>
                  options.emit({ type: 'text', choice, text, logprobs }, units + outputUnits),
                onEnd: ({ reason, stopText }, outputUnits) =>
                  options.emit({ type: 'finish', choice, reason, stopText }, units + outputUnits),
              })
            }
          }
          return units
        }, inputUnits)(options),
    }
  }
}

/** Greedy unless sampling is asked for: a small model answers best so, and repeatably. */
function settingsOf({ sampling, maxTokens, stop, logprobs }: Settings, choice: number) {
  const { temperature, topP, topK, seed, frequencyPenalty = 0, presencePenalty = 0 } = sampling
  return {
    temperature: temperature ?? (topP === undefined && topK === undefined ? 0 : 1),
    topP: topP ?? 1,
    topK: topK ?? 0,
    seed: seedOf(seed, choice),
    frequencyPenalty,
    presencePenalty,
    maxTokens,
    stop,
    logprobs,
  }
}

/** Seeds of llama.cpp are 32 bits; the highest asks it to draw one itself, and would repeat nothing. */
const SEEDS = 2 ** 32 - 1

/**
 * Each choice has a seed of its own, or all were the same. Where none is asked for it is drawn here: the library would
 * take the second of the clock, and give all that is answered within it the same words.
 */
function seedOf(seed: number | undefined, choice: number): number {
  if (seed === undefined) return randomInt(SEEDS)
  const within = (BigInt(seed) + BigInt(choice)) % BigInt(SEEDS)
  return Number(within < 0n ? within + BigInt(SEEDS) : within)
}

function compileOrRefuse(compile: () => string | undefined): string | undefined | Unsupported {
  try {
    return compile()
  } catch (error) {
    if (!(error instanceof SchemaRefused)) throw error
    return { unsupported: { message: `\`${error.place}\`: ${error.message}`, param: error.place } }
  }
}

/** A method that can be called on its own. */
async function bound(
  embedder: Promise<LlamaEmbeddingContext>,
): Promise<Pick<LlamaEmbeddingContext, 'getEmbeddingFor'>> {
  const context = await embedder
  return { getEmbeddingFor: (input) => context.getEmbeddingFor(input) }
}

async function loadChecked(path: string, manifest: ModelManifest) {
  const before = await identity(path)
  const expected = manifest.files[0]?.sha256
  const sha256 = await sha256File(path)
  if (sha256 !== expected) {
    throw new AssayError('The weights are not those of the manifest.', {
      code: 'config',
      facts: { path, sha256, expected },
      next: 'Remove the file and run: assay model pull',
    })
  }
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
  const model = await llama.loadModel({ modelPath: path, useMmap: false, gpuLayers: 0 })
  if ((await identity(path)) !== before) {
    await llama.dispose()
    throw new AssayError('The weights changed while they were loaded.', { code: 'config', facts: { path } })
  }
  return { llama, model }
}

function lengthOfLongestToken(model: LlamaModel): number {
  let longest = 1
  for (const token of model.iterateAllTokens()) {
    longest = Math.max(longest, Buffer.byteLength(model.detokenize([token], true)))
  }
  return longest
}

/** What changes when a file is replaced or written to. */
async function identity(path: string): Promise<string> {
  const found = await stat(path, { bigint: true })
  return `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`
}
