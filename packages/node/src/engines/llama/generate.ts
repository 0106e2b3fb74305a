import {
  type Llama,
  type LlamaContextSequence,
  LlamaGrammarEvaluationState,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp'
import type { TokenLogprob } from '../engine.ts'
import { createSpelling } from './spelling.ts'
import { createStopScanner } from './stopScanner.ts'
import { createTokenBytes } from './tokenBytes.ts'

/** Longest run of tokens whose bytes are not yet whole characters (UTF-8 needs four bytes at most). */
const MAX_INCOMPLETE_TOKENS = 6
/** Prompt tokens evaluated between two looks at the abort signal. */
const PREFILL_STEP = 256
/** Log-probability of a token that was given none: what e^x rounds to nothing at. */
const LEAST_LOGPROB = -9999

export type Generation = {
  /** 0 = greedy. */
  temperature: number
  topP: number
  /** 0 = all tokens. */
  topK: number
  seed: number
  frequencyPenalty: number
  presencePenalty: number
  maxTokens: number
  stop: readonly string[]
  /** How an answer begins in which no stop text is looked for. */
  stopExcept?: string | undefined
  logprobs: number | undefined
  /** GBNF. */
  grammar?: string | undefined
  signal: AbortSignal
  /** Every piece of text that is certain to be part of the answer, and the tokens generated so far. */
  onText: (text: string, logprobs: TokenLogprob[] | undefined, outputUnits: number) => void
  /** Once, unless the signal was aborted. */
  onEnd: (end: { reason: 'stop' | 'length'; stopText: string | undefined }, outputUnits: number) => void
}

/** Continues a prompt; resolves with the number of tokens generated, without the end-of-turn token. */
export type Generator = (prompt: readonly Token[], generation: Generation) => Promise<number>

type Step = { token: Token; confidence?: number; probabilities?: Map<Token, number> }

export function createGenerator(
  llama: Llama,
  model: LlamaModel,
  contextLength: number,
): { on: (sequence: LlamaContextSequence) => Generator } {
  const bytesOf = createTokenBytes(model)

  async function steps(
    sequence: LlamaContextSequence,
    last: Token[],
    options: Generation,
    generated: readonly Token[],
  ): Promise<AsyncGenerator<Step>> {
    const grammarEvaluationState =
      options.grammar === undefined
        ? undefined
        : new LlamaGrammarEvaluationState({
            model,
            grammar: await llama.createGrammar({ grammar: options.grammar }),
          })
    const penalised = options.frequencyPenalty !== 0 || options.presencePenalty !== 0
    const wanted = options.logprobs !== undefined
    return sequence.evaluateWithMetadata(
      last,
      { confidence: wanted, probabilities: wanted && options.logprobs !== 0 },
      {
        temperature: options.temperature,
        topP: options.topP,
        topK: options.topK,
        minP: 0,
        seed: options.seed,
        ...(grammarEvaluationState === undefined ? {} : { grammarEvaluationState }),
        ...(penalised
          ? {
              repeatPenalty: {
                punishTokens: () => [...generated],
                maxPunishTokens: contextLength,
                penalty: 1,
                frequencyPenalty: options.frequencyPenalty,
                presencePenalty: options.presencePenalty,
              },
            }
          : {}),
      },
    ) as AsyncGenerator<Step>
  }

  function logprobOf(token: Token, probability: number): TokenLogprob {
    const text = model.detokenize([token])
    return {
      token: text,
      bytes: bytesOf(token, text),
      logprob: probability > 0 ? Math.log(probability) : LEAST_LOGPROB,
      top: [],
    }
  }

  /** Of the distribution that was sampled from: after temperature, top_p and grammar. */
  function logprobsOf(step: Step, count: number): TokenLogprob {
    const top: TokenLogprob[] = []
    for (const [token, probability] of step.probabilities ?? []) {
      if (top.length >= count) break
      top.push(logprobOf(token, probability))
    }
    return { ...logprobOf(step.token, step.confidence ?? 0), top }
  }

  async function generateOn(
    sequence: LlamaContextSequence,
    prompt: readonly Token[],
    options: Generation,
  ): Promise<number> {
    // Nothing of another request may be left, neither for privacy nor for repeatable answers.
    await sequence.clearHistory()
    for (let at = 0; at < prompt.length - 1; at += PREFILL_STEP) {
      if (options.signal.aborted) return 0
      const end = Math.min(at + PREFILL_STEP, prompt.length - 1)
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(at, end))
    }
    const limit = Math.min(options.maxTokens, contextLength - prompt.length)
    const scanner = createStopScanner(options.stop, options.stopExcept)
    const generated: Token[] = []
    let pending: Token[] = []
    const spelling = options.logprobs === undefined ? undefined : createSpelling()
    const say = (text: string, isLast = false): void => {
      if (text !== '') options.onText(text, spelling?.take(text, isLast), generated.length)
    }
    let reason: 'stop' | 'length' = 'stop'
    for await (const step of await steps(sequence, prompt.slice(-1), options, generated)) {
      if (options.signal.aborted) return generated.length
      const known = generated.length - pending.length
      const before = generated.slice(Math.max(0, known - 4), known)
      generated.push(step.token)
      pending.push(step.token)
      spelling?.add(logprobsOf(step, options.logprobs ?? 0))
      const text = model.detokenize(pending, false, before)
      // U+FFFD at the end: the bytes of a character are still incomplete.
      if (!text.endsWith('\ufffd') || pending.length >= MAX_INCOMPLETE_TOKENS) {
        pending = []
        const out = scanner.push(text)
        if (out.stop !== undefined) {
          say(out.text)
          options.onEnd({ reason: 'stop', stopText: out.stop }, generated.length)
          return generated.length
        }
        say(out.text)
      }
      if (generated.length >= limit) {
        reason = 'length'
        break
      }
    }
    if (options.signal.aborted) return generated.length
    const tail = pending.length > 0 ? scanner.push(model.detokenize(pending)).text : ''
    say(tail + scanner.flush(), true)
    options.onEnd({ reason, stopText: undefined }, generated.length)
    return generated.length
  }

  return { on: (sequence) => (prompt, options) => generateOn(sequence, prompt, options) }
}
