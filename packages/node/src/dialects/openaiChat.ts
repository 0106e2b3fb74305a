import { readIntent } from '@assay/protocol'
import type { ChatMessage, Sampling } from '../engines/engine.ts'
import { badRequest, type DialectError } from './openaiError.ts'

/** Most messages of one conversation. */
const MAX_MESSAGES = 512
/** Most text parts of one message. */
const MAX_PARTS = 64
/** Most stop texts, and their longest length in characters (the first is OpenAI's own limit). */
const MAX_STOPS = 4
const MAX_STOP_LENGTH = 256

/** A chat request, every member checked and every default applied. */
export type ChatRequest = {
  model: string
  stream: boolean
  includeUsage: boolean
  messages: ChatMessage[]
  /** Most tokens to generate. */
  maxOutput: number
  stop: string[]
  sampling: Sampling
}

/** Carries a refusal out of the readers below; never leaves this file. */
class Refusal extends Error {
  readonly error: DialectError
  constructor(error: DialectError) {
    super(error.message)
    this.error = error
  }
}

function refuse(message: string, param: string, code = 'invalid_value'): never {
  throw new Refusal(badRequest(message, param, code))
}

function objectAt(value: unknown, param: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse(`\`${param}\` must be an object.`, param, 'invalid_type')
  }
  return value as Record<string, unknown>
}

function onlyMembers(value: Record<string, unknown>, names: readonly string[], param: string): void {
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) {
      refuse(
        `\`${param}.${name.slice(0, 64)}\` is not known here.`,
        `${param}.${name.slice(0, 64)}`,
        'unknown_parameter',
      )
    }
  }
}

function textAt(value: unknown, param: string): string {
  if (typeof value !== 'string') refuse(`\`${param}\` must be a string.`, param, 'invalid_type')
  if (!value.isWellFormed()) refuse(`\`${param}\` holds a lone surrogate.`, param)
  return value
}

function numberAt(value: unknown, param: string, from: number, to: number): number {
  if (typeof value !== 'number') refuse(`\`${param}\` must be a number.`, param, 'invalid_type')
  if (!(value >= from && value <= to)) refuse(`\`${param}\` must be between ${from} and ${to}.`, param)
  return value
}

function contentAt(value: unknown, param: string): string {
  if (!Array.isArray(value)) return textAt(value, param)
  if (value.length > MAX_PARTS) refuse(`\`${param}\` may have at most ${MAX_PARTS} parts.`, param)
  return value
    .map((entry, at) => {
      const place = `${param}[${at}]`
      const part = objectAt(entry, place)
      if (part.type !== 'text') {
        refuse(
          `\`${place}.type\` must be "text": this model reads text only.`,
          `${place}.type`,
          'unsupported_value',
        )
      }
      onlyMembers(part, ['type', 'text'], place)
      return textAt(part.text, `${place}.text`)
    })
    .join('')
}

function messagesAt(value: unknown): ChatMessage[] {
  if (!Array.isArray(value)) refuse('`messages` must be an array.', 'messages', 'invalid_type')
  if (value.length === 0) refuse('`messages` must not be empty.', 'messages')
  if (value.length > MAX_MESSAGES)
    refuse(`\`messages\` may have at most ${MAX_MESSAGES} entries.`, 'messages')
  const messages = value.map((entry, at): ChatMessage => {
    const place = `messages[${at}]`
    const message = objectAt(entry, place)
    // `name` would have to reach the model, and its template has no place for it. `refusal` and the like come back
    // from clients that send an earlier answer as it was; null says nothing.
    const known = ['role', 'content']
    for (const [name, member] of Object.entries(message)) {
      if (known.includes(name) || member === null) continue
      if ((name === 'annotations' || name === 'tool_calls') && Array.isArray(member) && member.length === 0)
        continue
      const param = `${place}.${name.slice(0, 64)}`
      refuse(`\`${param}\` is not supported by this model.`, param, 'unsupported_parameter')
    }
    const content = contentAt(message.content, `${place}.content`)
    // OpenAI's newer name for the system role.
    const role = message.role === 'developer' ? 'system' : message.role
    if (role !== 'system' && role !== 'user' && role !== 'assistant') {
      refuse(`\`${place}.role\` must be system, developer, user or assistant.`, `${place}.role`)
    }
    return { role, content }
  })
  if (messages.at(-1)?.role === 'assistant') {
    refuse(
      "The last of `messages` must not be the assistant's: continuing an answer is not supported.",
      'messages',
    )
  }
  return messages
}

function stopAt(value: unknown): string[] {
  const list = Array.isArray(value) ? value : [value]
  if (list.length > MAX_STOPS) refuse(`\`stop\` may have at most ${MAX_STOPS} entries.`, 'stop')
  return list.map((entry, at) => {
    const param = Array.isArray(value) ? `stop[${at}]` : 'stop'
    const text = textAt(entry, param)
    if (text.length === 0 || text.length > MAX_STOP_LENGTH) {
      refuse(`\`${param}\` must have 1 to ${MAX_STOP_LENGTH} characters.`, param)
    }
    return text
  })
}

function booleanAt(value: unknown, param: string): boolean {
  if (typeof value !== 'boolean') refuse(`\`${param}\` must be a boolean.`, param, 'invalid_type')
  return value
}

function streamOptionsAt(value: unknown): boolean {
  const options = objectAt(value, 'stream_options')
  onlyMembers(options, ['include_usage', 'include_obfuscation'], 'stream_options')
  if (options.include_obfuscation !== undefined && options.include_obfuscation !== false) {
    refuse(
      '`stream_options.include_obfuscation` is not supported.',
      'stream_options.include_obfuscation',
      'unsupported_value',
    )
  }
  return options.include_usage === undefined
    ? false
    : booleanAt(options.include_usage, 'stream_options.include_usage')
}

/** Members this network honours by doing what they ask; `readIntent` reads the first five. */
const HONOURED = [
  'model',
  'stream',
  'max_tokens',
  'max_completion_tokens',
  'messages',
  'stream_options',
  'temperature',
  'top_p',
  'seed',
  'stop',
  'frequency_penalty',
  'presence_penalty',
]

/** Members of which one value asks for what happens anyway; any other value is refused by name. */
const NEUTRAL: Record<string, (value: unknown) => boolean> = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  store: (value) => value === false,
  tools: (value) => Array.isArray(value) && value.length === 0,
  tool_choice: (value) => value === 'none',
  logit_bias: (value) => typeof value === 'object' && value !== null && Object.keys(value).length === 0,
  response_format: (value) =>
    typeof value === 'object' &&
    value !== null &&
    (value as { type?: unknown }).type === 'text' &&
    Object.keys(value).length === 1,
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text',
  service_tier: (value) => value === 'auto' || value === 'default',
  // Names the end user to the operator's abuse desk; there is nothing to do with it here.
  user: (value) => typeof value === 'string' && value.length <= 256,
}

/**
 * Reads a chat/completions body strictly: what is supported is honoured, everything else is refused by its name, so
 * that nobody pays for an answer to another question. null means absent, as in OpenAI's own API.
 * @param contextLengthOf context length of a model in tokens, undefined if it is not served here.
 */
export function readOpenaiChat(
  body: Uint8Array,
  contextLengthOf: (model: string) => number | undefined,
): { request: ChatRequest } | { error: DialectError } {
  const read = readIntent(body, contextLengthOf)
  if ('problem' in read) {
    const { message, param, code } = read.problem
    return { error: badRequest(message, param, code, code === 'model_not_found' ? 404 : 400) }
  }
  // `readIntent` has parsed these very bytes, so this cannot throw.
  const fields = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>
  try {
    const given: Record<string, unknown> = Object.create(null)
    for (const [name, value] of Object.entries(fields)) {
      if (value === null) continue
      if (HONOURED.includes(name)) {
        given[name] = value
        continue
      }
      const param = name.slice(0, 64)
      const isNeutral = Object.hasOwn(NEUTRAL, name) ? NEUTRAL[name] : undefined
      if (isNeutral === undefined) refuse(`\`${param}\` is not supported.`, param, 'unsupported_parameter')
      if (!isNeutral(value))
        refuse(`This value of \`${param}\` is not supported.`, param, 'unsupported_value')
    }
    const { intent } = read
    if (given.stream_options !== undefined && !intent.stream) {
      refuse('`stream_options` is only allowed when `stream` is true.', 'stream_options')
    }
    const number = (name: string, from: number, to: number): number | undefined =>
      given[name] === undefined ? undefined : numberAt(given[name], name, from, to)
    const topP = number('top_p', 0, 1)
    const seed = number('seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    if (seed !== undefined && !Number.isInteger(seed)) refuse('`seed` must be an integer.', 'seed')
    return {
      request: {
        model: intent.model,
        stream: intent.stream,
        includeUsage: given.stream_options === undefined ? false : streamOptionsAt(given.stream_options),
        messages: messagesAt(given.messages),
        maxOutput: intent.maxOutput,
        stop: given.stop === undefined ? [] : stopAt(given.stop),
        sampling: {
          // Greedy unless sampling is asked for: a small model answers best so, and repeatably.
          temperature: number('temperature', 0, 2) ?? (topP === undefined ? 0 : 1),
          topP: topP ?? 1,
          // The engine takes 32 bits; the lower ones of a wider seed.
          ...(seed === undefined ? {} : { seed: Number(BigInt.asUintN(32, BigInt(seed))) }),
          frequencyPenalty: number('frequency_penalty', -2, 2) ?? 0,
          presencePenalty: number('presence_penalty', -2, 2) ?? 0,
        },
      },
    }
  } catch (error) {
    if (error instanceof Refusal) return { error: error.error }
    throw error
  }
}
