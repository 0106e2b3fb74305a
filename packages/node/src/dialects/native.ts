import { errorEvent, type InferenceRoute, quotedLimits, type RequestIntent } from '@assay/protocol'
import type { AnswerHead, Reading, StreamWriter } from './dialect.ts'
import { arrayAt, booleanAt, type Fields, nameOf, objectAt, optional } from './fields.ts'
import { nativeEnd } from './nativeEnd.ts'
import { mustCarryItsParts } from './nativeParts.ts'
import { refuse } from './refusal.ts'

/**
 * Bodies for an upstream that speaks the client's own dialect go on as they are, and so do its answers: it knows its
 * parameters best. Only members that could spend beyond the quote or keep state at the provider are held back: what is
 * listed here passes, its limits at what was quoted, everything else is refused by name.
 */
const PASSING: Partial<Record<InferenceRoute, readonly string[]>> = {
  chat: [
    ...['model', 'messages', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'n'],
    ...['temperature', 'top_p', 'top_k', 'min_p', 'seed', 'stop', 'frequency_penalty', 'presence_penalty'],
    ...['logit_bias', 'logprobs', 'top_logprobs', 'response_format', 'tools', 'tool_choice'],
    ...['parallel_tool_calls', 'reasoning_effort', 'verbosity', 'prediction', 'user', 'metadata'],
    ...['safety_identifier', 'prompt_cache_key', 'functions', 'function_call'],
  ],
  completions: [
    ...['model', 'prompt', 'stream', 'stream_options', 'max_tokens', 'n', 'temperature', 'top_p', 'seed'],
    ...['stop', 'frequency_penalty', 'presence_penalty', 'logit_bias', 'logprobs', 'echo', 'suffix', 'user'],
  ],
  embeddings: ['model', 'input', 'encoding_format', 'dimensions', 'user'],
  messages: [
    ...['model', 'messages', 'system', 'max_tokens', 'stream', 'temperature', 'top_p', 'top_k'],
    ...[
      'stop_sequences',
      'tools',
      'tool_choice',
      'thinking',
      'metadata',
      'output_config',
      'context_management',
      'cache_control',
    ],
  ],
}

/** Tools that the client runs; those that the provider runs cost extra. */
const CLIENT_TOOLS: Partial<Record<InferenceRoute, RegExp>> = {
  chat: /^function$/,
  messages: /^(?:custom|(?:bash|text_editor|computer|memory)_[0-9]{8})$/,
}

const TERMINALS: Partial<Record<InferenceRoute, string>> = {
  messages: 'event: message_stop\ndata: {"type":"message_stop"}\n\n',
}
const DONE = 'data: [DONE]\n\n'
const PATHS: Partial<Record<InferenceRoute, string>> = { messages: '/v1/messages' }

/** @throws Refusal */
export function nativeDraft(
  route: InferenceRoute,
  fields: Fields,
  intent: RequestIntent,
  headers: Record<string, string>,
): Omit<Reading, 'intent'> {
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || PASSING[route]?.includes(name)) continue
    // Asks for what happens anyway: nothing is stored, and no other tier is bought.
    if (name === 'store' && value === false) continue
    if (name === 'service_tier' && (value === 'auto' || value === 'default' || value === 'standard_only'))
      continue
    if (name === 'speed' && value === 'standard') continue
    refuse(`\`${nameOf(name)}\` is not supported.`, nameOf(name), 'unsupported_parameter')
  }
  const toolTypes = CLIENT_TOOLS[route]
  if (toolTypes !== undefined) {
    for (const [at, entry] of (
      optional(fields, 'tools', (value, param) => arrayAt(value, param, 128)) ?? []
    ).entries()) {
      const place = `tools[${at}]`
      const { type = route === 'messages' ? 'custom' : undefined } = objectAt(entry, place)
      if (typeof type !== 'string' || !toolTypes.test(type)) {
        refuse(
          `\`${place}.type\` names a tool that this node does not pass on.`,
          `${place}.type`,
          'unsupported_value',
        )
      }
    }
  }
  mustCarryItsParts(fields.messages)
  const streamOptions = optional(fields, 'stream_options', objectAt)
  const { stream, maxOutput } = intent
  optional(fields, 'stream', booleanAt)
  return {
    work: {
      kind: 'native',
      route,
      fields: { ...fields, ...quotedLimits(route, fields, intent) },
      stream,
      headers,
      maxOutput,
    },
    answer: (head) => ({
      whole: ({ body = '' }) => new TextEncoder().encode(body),
      stream: () => nativeStream(route, head, streamOptions?.include_usage === true),
    }),
  }
}

function nativeStream(route: InferenceRoute, head: AnswerHead, includeUsage: boolean): StreamWriter {
  const end = TERMINALS[route] ?? DONE
  return {
    open: () => '',
    event(event) {
      if (event.type !== 'native') return ''
      const name = event.event === undefined ? '' : `event: ${event.event}\n`
      // What came in several lines goes out in as many: one that begins with a colon would be a comment otherwise.
      return `${name}data: ${event.data.replaceAll('\n', '\ndata: ')}\n\n`
    },
    close: () => '',
    cut: (said, usage) => nativeEnd({ route, head, said, usage, includeUsage }),
    terminal: () => end,
    fail(error) {
      const event = errorEvent(error, PATHS[route] ?? '/v1/chat/completions')
      // Anthropic's clients end at the error itself.
      return route === 'messages' ? { event: '', terminal: event } : { event, terminal: end }
    },
  }
}
