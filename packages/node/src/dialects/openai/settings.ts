import type { RequestIntent } from '@assay/protocol'
import type { Sampling, Settings } from '../../engines/engine.ts'
import type { Needs } from '../dialect.ts'
import {
  arrayAt,
  booleanAt,
  type Fields,
  integerAt,
  numberAt,
  objectAt,
  onlyMembers,
  optional,
  textAt,
} from '../fields.ts'
import { refuse } from '../refusal.ts'

/** Most stop texts, and their longest length in characters (the first is OpenAI's own limit). */
const MAX_STOPS = 4
const MAX_STOP_LENGTH = 256

/** Members of chat/completions and completions that say how to generate. */
export const SAMPLING_MEMBERS = [
  'temperature',
  'top_p',
  'seed',
  'stop',
  'frequency_penalty',
  'presence_penalty',
  'n',
]

const isLabel = (value: unknown): boolean => typeof value === 'string' && value.length <= 256

/** Members of chat/completions and responses that ask for no other answer. */
export const LABELS: Record<string, (value: unknown) => boolean> = {
  // Names the end user to the operator's abuse desk; there is nothing to do with it here.
  user: isLabel,
  safety_identifier: isLabel,
  // Names a cache that saves money elsewhere; usage says that nothing was cached.
  prompt_cache_key: isLabel,
}

/** @throws Refusal */
export function settingsAt(given: Fields, intent: RequestIntent, needs: Needs): Settings {
  const choices = optional(given, 'n', numberAt1) ?? 1
  if (choices > 1) needs('choices', 'n')
  return {
    sampling: samplingAt(given, needs),
    maxTokens: intent.maxOutputEach,
    stop: optional(given, 'stop', stopAt) ?? [],
    choices,
  }
}

/** `readIntent` has judged it. */
function numberAt1(value: unknown): number {
  return value as number
}

export function samplingAt(given: Fields, needs: Needs): Sampling {
  const number = (
    name: string,
    feature: Parameters<Needs>[0],
    from: number,
    to: number,
  ): number | undefined => {
    const value = optional(given, name, (member, param) => numberAt(member, param, from, to))
    if (value !== undefined) needs(feature, name)
    return value
  }
  const seed = optional(given, 'seed', (member, param) =>
    integerAt(member, param, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  )
  if (seed !== undefined) needs('seed', 'seed')
  return {
    temperature: number('temperature', 'sampling', 0, 2),
    topP: number('top_p', 'sampling', 0, 1),
    seed,
    frequencyPenalty: penalty('frequency_penalty'),
    presencePenalty: penalty('presence_penalty'),
  }

  /** 0 asks for what happens anyway. */
  function penalty(name: string): number | undefined {
    return given[name] === 0 ? undefined : number(name, 'penalties', -2, 2)
  }
}

function stopAt(value: unknown): string[] {
  const list = Array.isArray(value) ? arrayAt(value, 'stop', MAX_STOPS) : [value]
  return list.map((entry, at) => {
    const param = Array.isArray(value) ? `stop[${at}]` : 'stop'
    const text = textAt(entry, param)
    if (text.length === 0 || text.length > MAX_STOP_LENGTH) {
      refuse(`\`${param}\` must have 1 to ${MAX_STOP_LENGTH} characters.`, param)
    }
    return text
  })
}

/** Whether `stream_options` asks for usage. @throws Refusal */
export function includeUsageAt(given: Fields, intent: RequestIntent): boolean {
  const value = given.stream_options
  if (value === undefined) return false
  if (!intent.stream) refuse('`stream_options` is only allowed when `stream` is true.', 'stream_options')
  const options = objectAt(value, 'stream_options')
  onlyMembers(options, ['include_usage', 'include_obfuscation'], 'stream_options')
  if (options.include_obfuscation !== undefined && options.include_obfuscation !== false) {
    refuse(
      '`stream_options.include_obfuscation` is not supported.',
      'stream_options.include_obfuscation',
      'unsupported_value',
    )
  }
  return optional(options, 'include_usage', booleanAt, 'stream_options') ?? false
}
