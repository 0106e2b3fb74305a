import type { Usage } from '../engine.ts'
import { generatedBytes } from './generatedText.ts'

/** Bytes of a text that make one token, as a rule of thumb where nobody counts. */
const BYTES_A_TOKEN = 4
/** Pictures in base64 say nothing about the length of a text. */
const PICTURES = /[A-Za-z0-9+/=]{256,}/g

/**
 * Counts what an upstream does: by its own figures where it gives them, else by what can be seen. A piece of a stream
 * is a token at least; the prompt and a whole answer are guessed from their length.
 */
export type Meter = {
  /** A piece of the answer went by. */
  piece: () => void
  /** Looks for figures in a body or event of either dialect. */
  read: (json: unknown) => void
  /** The same for a whole answer, which is counted by its text where there are none. */
  readWhole: (json: unknown) => void
  /** Output units so far. */
  output: () => number
  usage: () => Usage
}

export function createMeter(requestText: string): Meter {
  let pieces = 0
  let input: number | undefined
  let output: number | undefined
  /** Anthropic's first event counts a token ahead that its last counts again: no figure of what was written. */
  let ahead = 0
  const count = (value: unknown): number | undefined =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined

  function take(usage: Record<string, unknown>): void {
    const prompt = count(usage.prompt_tokens)
    if (prompt !== undefined) input = prompt
    const anthropicInput = count(usage.input_tokens)
    if (anthropicInput !== undefined) {
      // What was read from a cache or written to one is input all the same.
      const cached =
        (count(usage.cache_creation_input_tokens) ?? 0) + (count(usage.cache_read_input_tokens) ?? 0)
      input = Math.max(input ?? 0, anthropicInput + cached)
    }
    output = count(usage.completion_tokens) ?? count(usage.output_tokens) ?? output
    const total = count(usage.total_tokens)
    // xAI and Gemini leave what the model thought out of `completion_tokens`, and charge for it: it is in the total.
    if (prompt !== undefined && total !== undefined) output = Math.max(output ?? 0, total - prompt)
  }

  function read(json: unknown): void {
    if (typeof json !== 'object' || json === null) return
    const { usage, message } = json as { usage?: unknown; message?: { usage?: unknown } }
    const begun = message?.usage
    if (isObject(begun)) {
      ahead = count(begun.output_tokens) ?? 0
      take({ ...begun, output_tokens: undefined })
    }
    if (isObject(usage)) take(usage)
  }

  return {
    piece: () => {
      pieces++
    },
    read,
    readWhole(json) {
      read(json)
      output ??= Math.ceil(generatedBytes(json) / BYTES_A_TOKEN)
    },
    output: () => Math.max(pieces, output ?? ahead),
    usage: () => ({
      inputUnits: input ?? Math.ceil(Buffer.byteLength(requestText.replace(PICTURES, '')) / BYTES_A_TOKEN),
      // A server that counts nothing where something was written does not count.
      outputUnits: output || Math.max(pieces, ahead),
    }),
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
