import { stat } from 'node:fs/promises'
import { AssayError, type ModelManifest } from '@assay/protocol'
import {
  type ChatHistoryItem,
  getLlama,
  JinjaTemplateChatWrapper,
  type LlamaContextSequence,
  LlamaLogLevel,
  type Token,
} from 'node-llama-cpp'
import { sha256File } from '../enclaves/sha256File.ts'
import type { ChatMessage, Engine, GenerateOptions, GenerateResult } from './engine.ts'
import { createStopScanner } from './stopScanner.ts'

/** Longest run of tokens whose bytes are not yet whole characters (UTF-8 needs four bytes at most). */
const MAX_INCOMPLETE_TOKENS = 6
/** Prompt tokens evaluated between two looks at the abort signal. */
const PREFILL_STEP = 256

export type LlamaEngineParameters = {
  path: string
  manifest: ModelManifest
  /** 1 by default: two threads on two busy cores slow each other down to a crawl. */
  threads?: 1 | 2 | undefined
  /** Answers generated side by side, batched by the engine. */
  concurrency?: number | undefined
}

/**
 * System message of a conversation that brings none. The model's own template has one that makes this small model
 * drift into French when asked greedily; this one does not.
 */
const DEFAULT_SYSTEM = 'You are a helpful assistant.'

/**
 * llama.cpp in this process, on the CPU. The weights are hashed against the manifest and then read into memory, not
 * mapped: a mapped file could be changed by the host after the check.
 * @throws AssayError `config` when the file is not the one of the manifest
 */
export async function startLlamaEngine(parameters: LlamaEngineParameters): Promise<Engine> {
  const { path, manifest, threads = 1, concurrency = 2 } = parameters
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
  const context = await model.createContext({
    contextSize: manifest.contextLength,
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

  // A prompt of more bytes than the context could hold of the longest token is refused before it is tokenised.
  let longestToken = 1
  for (const token of model.iterateAllTokens()) {
    longestToken = Math.max(longestToken, Buffer.byteLength(model.detokenize([token], true)))
  }

  const tokenise = (messages: readonly ChatMessage[]): Token[] => {
    const history: ChatHistoryItem[] = messages.map((message) => {
      if (message.role === 'assistant') return { type: 'model', response: [message.content] }
      return { type: message.role, text: message.content }
    })
    if (messages[0]?.role !== 'system') history.unshift({ type: 'system', text: DEFAULT_SYSTEM })
    // An open answer at the end is what makes the template write the assistant's opening.
    history.push({ type: 'model', response: [] })
    return wrapper.generateContextState({ chatHistory: history }).contextText.tokenize(model.tokenizer)
  }

  const generateOn = async (
    sequence: LlamaContextSequence,
    prompt: readonly Token[],
    options: GenerateOptions,
  ): Promise<GenerateResult> => {
    // Nothing of another request may be left, neither for privacy nor for repeatable answers.
    await sequence.clearHistory()
    for (let at = 0; at < prompt.length - 1; at += PREFILL_STEP) {
      if (options.signal.aborted) return { finish: 'aborted', outputUnits: 0 }
      const end = Math.min(at + PREFILL_STEP, prompt.length - 1)
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(at, end))
    }
    const room = manifest.contextLength - prompt.length
    const limit = Math.min(options.maxTokens, room)
    const scanner = createStopScanner(options.stop)
    const generated: Token[] = []
    let pending: Token[] = []
    const penalised = options.frequencyPenalty !== 0 || options.presencePenalty !== 0
    const tokens = sequence.evaluate(prompt.slice(-1), {
      temperature: options.temperature,
      topP: options.topP,
      topK: 0,
      minP: 0,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      ...(penalised
        ? {
            repeatPenalty: {
              punishTokens: () => generated,
              maxPunishTokens: manifest.contextLength,
              penalty: 1,
              frequencyPenalty: options.frequencyPenalty,
              presencePenalty: options.presencePenalty,
            },
          }
        : {}),
    })
    let finish: GenerateResult['finish'] = 'stop'
    for await (const token of tokens) {
      if (options.signal.aborted) {
        finish = 'aborted'
        break
      }
      const known = generated.length - pending.length
      const context = generated.slice(Math.max(0, known - 4), known)
      generated.push(token)
      pending.push(token)
      const text = model.detokenize(pending, false, context)
      // U+FFFD at the end: the bytes of a character are still incomplete.
      if (!text.endsWith('\ufffd') || pending.length >= MAX_INCOMPLETE_TOKENS) {
        pending = []
        const out = scanner.push(text)
        if (out.text !== '' || out.stopped) options.onText(out.text, generated.length)
        if (out.stopped) return { finish: 'stop', outputUnits: generated.length }
      }
      if (generated.length >= limit) {
        finish = 'length'
        break
      }
    }
    if (finish !== 'aborted') {
      const tail = pending.length > 0 ? scanner.push(model.detokenize(pending)).text : ''
      const rest = tail + scanner.flush()
      if (rest !== '') options.onText(rest, generated.length)
    }
    return { finish, outputUnits: generated.length }
  }

  return {
    contextLength: manifest.contextLength,
    concurrency,
    prepareChat(messages) {
      const tooLong = { tooLong: true, contextLength: manifest.contextLength } as const
      const bytes = messages.reduce((sum, message) => sum + Buffer.byteLength(message.content), 0)
      if (bytes > manifest.contextLength * longestToken) return tooLong
      const prompt = tokenise(messages)
      // At least one token of room, or there is nothing to answer with.
      if (prompt.length >= manifest.contextLength) return tooLong
      return {
        inputUnits: prompt.length,
        async generate(options) {
          const sequence = free.pop()
          if (sequence === undefined) {
            throw new AssayError('All sequences of the engine are busy.', { code: 'conflict' })
          }
          try {
            return await generateOn(sequence, prompt, options)
          } finally {
            free.push(sequence)
          }
        },
      }
    },
    close: () => llama.dispose(),
  }
}

/** What changes when a file is replaced or written to. */
async function identity(path: string): Promise<string> {
  const found = await stat(path, { bigint: true })
  return `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`
}
