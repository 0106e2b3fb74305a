import type { ChatWork } from '../../engines/engine.ts'
import { type Dialect, readRequest } from '../dialect.ts'
import { booleanAt, integerAt, isEmptyArray, isEmptyObject, knownMembers, optional } from '../fields.ts'
import { nativeDraft } from '../native.ts'
import { refuse } from '../refusal.ts'
import { messagesAt } from './messages.ts'
import { includeUsageAt, LABELS, SAMPLING_MEMBERS, settingsAt } from './settings.ts'
import { chatToolsAt, textFormatAt, toolChoiceAt } from './tools.ts'
import { chatWriter } from './writeChat.ts'

/** Most alternatives per token: OpenAI's own limit. */
const MAX_TOP_LOGPROBS = 20

/** Members that are honoured by doing what they ask; `readIntent` reads those of the first line. */
const HONOURED = [
  ...['model', 'stream', 'max_tokens', 'max_completion_tokens'],
  ...['messages', 'stream_options', 'tools', 'tool_choice', 'parallel_tool_calls', 'response_format'],
  ...['logprobs', 'top_logprobs'],
  ...SAMPLING_MEMBERS,
]

/** Members of which some values ask for what happens anyway. */
const NEUTRAL: Record<string, (value: unknown) => boolean> = {
  store: (value) => value === false,
  functions: isEmptyArray,
  logit_bias: isEmptyObject,
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text',
  service_tier: (value) => value === 'auto' || value === 'default',
  ...LABELS,
}

/** OpenAI's `POST /v1/chat/completions`. */
export const openaiChat: Dialect = {
  route: 'chat',
  idPrefix: 'chatcmpl-',
  read: (body, headers, model) =>
    readRequest('chat', body, model, (fields, intent, needs, facts) => {
      if (facts.native.has('chat')) return nativeDraft('chat', fields, intent, headers)
      needs('chat', 'model')
      const given = knownMembers(fields, HONOURED, NEUTRAL)
      const tools = given.tools === undefined ? [] : chatToolsAt(given.tools, needs)
      const wantsLogprobs = optional(given, 'logprobs', booleanAt) ?? false
      const top = optional(given, 'top_logprobs', (value, param) =>
        integerAt(value, param, 0, MAX_TOP_LOGPROBS),
      )
      if (wantsLogprobs) needs('logprobs', 'logprobs')
      else if (top !== undefined)
        refuse('`top_logprobs` is only allowed when `logprobs` is true.', 'top_logprobs')
      const work: ChatWork = {
        kind: 'chat',
        messages: messagesAt(given.messages, needs),
        tools,
        toolChoice: toolChoiceAt(given.tool_choice, tools, false),
        parallelTools: optional(given, 'parallel_tool_calls', booleanAt) ?? true,
        format:
          given.response_format === undefined
            ? { type: 'text' }
            : textFormatAt(given.response_format, 'response_format', needs, false),
        settings: {
          ...settingsAt(given, intent, needs),
          ...(wantsLogprobs ? { logprobs: top ?? 0 } : {}),
        },
      }
      const includeUsage = includeUsageAt(given, intent)
      return { work, answer: (head) => chatWriter(head, includeUsage) }
    }),
}
