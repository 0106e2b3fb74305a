import type { ChatMessage, ChatWork, Part, Tool } from '../../engines/engine.ts'
import { type Dialect, type Needs, readRequest } from '../dialect.ts'
import {
  arrayAt,
  booleanAt,
  type Fields,
  isEmptyArray,
  knownMembers,
  objectAt,
  onlyMembers,
  optional,
  saysOnly,
  textAt,
} from '../fields.ts'
import { dataUrlAt, onlyAutoDetail } from '../images.ts'
import { refuse } from '../refusal.ts'
import { callIdAt, mustDiffer } from '../tools.ts'
import { PARSED } from './parsed.ts'
import { LABELS, samplingAt } from './settings.ts'
import { functionAt, textFormatAt, toolChoiceAt } from './tools.ts'
import { responsesWriter } from './writeResponses.ts'

const MAX_ITEMS = 512
const MAX_PARTS = 64
const MAX_TOOLS = 128

const HONOURED = [
  ...['model', 'stream', 'max_output_tokens', 'input', 'instructions', 'temperature', 'top_p'],
  ...['tools', 'tool_choice', 'parallel_tool_calls', 'text', 'metadata'],
]

/**
 * The stateless subset: nothing is stored, so nothing can be continued by its id or fetched later. Whoever leaves
 * `store` out gets the answer all the same, and reads `store: false` in it.
 */
const NEUTRAL: Record<string, (value: unknown) => boolean> = {
  store: (value) => value === false,
  background: (value) => value === false,
  include: isEmptyArray,
  truncation: (value) => value === 'disabled',
  top_logprobs: (value) => value === 0,
  service_tier: (value) => value === 'auto' || value === 'default',
  ...LABELS,
  stream_options: (value) => saysOnly(value, 'include_obfuscation', (member) => member === false),
}

/** OpenAI's `POST /v1/responses`. */
export const openaiResponses: Dialect = {
  route: 'responses',
  idPrefix: 'resp_',
  read: (body, _headers, model) =>
    readRequest('responses', body, model, (fields, intent, needs) => {
      needs('chat', 'model')
      const given = knownMembers(fields, HONOURED, NEUTRAL)
      const tools = optional(given, 'tools', (value) => toolsAt(value, needs)) ?? []
      const instructions = optional(given, 'instructions', textAt)
      const text = optional(given, 'text', objectAt) ?? {}
      onlyMembers(text, ['format'], 'text')
      const metadata = optional(given, 'metadata', objectAt) ?? {}
      const parallelTools = optional(given, 'parallel_tool_calls', booleanAt) ?? true
      const work: ChatWork = {
        kind: 'chat',
        messages: [
          ...(instructions === undefined ? [] : [{ role: 'system', content: instructions } as const]),
          ...inputAt(given.input, needs),
        ],
        tools,
        toolChoice: toolChoiceAt(given.tool_choice, tools, true),
        parallelTools,
        format:
          text.format === undefined || text.format === null
            ? { type: 'text' }
            : textFormatAt(text.format, 'text.format', needs, true),
        settings: {
          sampling: samplingAt(given, needs),
          maxTokens: intent.maxOutputEach,
          stop: [],
          choices: 1,
        },
      }
      return {
        work,
        answer: (head) => responsesWriter(head, { ...given, metadata, parallel_tool_calls: parallelTools }),
      }
    }),
}

function toolsAt(value: unknown, needs: Needs): Tool[] {
  const tools = arrayAt(value, 'tools', MAX_TOOLS).map((entry, at) => {
    const place = `tools[${at}]`
    const tool = objectAt(entry, place)
    if (tool.type !== 'function')
      refuse(`\`${place}.type\` must be "function".`, `${place}.type`, 'unsupported_value')
    onlyMembers(tool, ['type', 'name', 'description', 'parameters', 'strict'], place)
    return functionAt(tool, place)
  })
  if (tools.length > 0) needs('tools', 'tools')
  mustDiffer(tools)
  return tools
}

/** `input`: a text, or items: messages, and the calls and results of earlier turns. */
function inputAt(value: unknown, needs: Needs): ChatMessage[] {
  if (!Array.isArray(value)) {
    if (typeof value !== 'string') refuse('`input` must be a string or an array.', 'input', 'invalid_type')
    return [{ role: 'user', content: [{ type: 'text', text: textAt(value, 'input') }] }]
  }
  const messages: ChatMessage[] = []
  for (const [at, entry] of arrayAt(value, 'input', MAX_ITEMS).entries()) {
    const place = `input[${at}]`
    const item = objectAt(entry, place)
    const last = messages.at(-1)
    if (item.type === 'function_call') {
      onlyMembers(item, ['type', 'id', 'call_id', 'name', 'arguments', 'status', ...PARSED], place)
      needs('tools', `${place}.type`)
      const call = {
        id: callIdAt(item.call_id, `${place}.call_id`),
        name: textAt(item.name, `${place}.name`, 64),
        arguments: textAt(item.arguments, `${place}.arguments`),
      }
      // Calls of one turn stand side by side here, and in one message there.
      if (last?.role === 'assistant') last.toolCalls.push(call)
      else messages.push({ role: 'assistant', content: '', toolCalls: [call] })
    } else if (item.type === 'function_call_output') {
      onlyMembers(item, ['type', 'id', 'call_id', 'output', 'status'], place)
      needs('tools', `${place}.type`)
      const callId = callIdAt(item.call_id, `${place}.call_id`)
      messages.push({ role: 'tool', callId, content: textOnlyAt(item.output, `${place}.output`) })
    } else if (item.type === undefined || item.type === 'message') {
      messages.push(messageAt(item, place, needs))
    } else if (item.type === 'item_reference') {
      refuse(
        `\`${place}\` refers to an item by its id, and nothing is stored here: send the item itself. Clients that send references do so until they are told \`store: false\`.`,
        `${place}.type`,
        'unsupported_value',
      )
    } else {
      refuse(
        `\`${place}.type\` must be message, function_call or function_call_output.`,
        `${place}.type`,
        'unsupported_value',
      )
    }
  }
  const last = messages.at(-1)
  if (last === undefined) refuse('`input` must not be empty.', 'input')
  if (last.role === 'assistant') {
    refuse("The last of `input` must not be the assistant's: continuing an answer is not supported.", 'input')
  }
  return messages
}

function messageAt(item: Fields, place: string, needs: Needs): ChatMessage {
  onlyMembers(item, ['type', 'role', 'content', 'id', 'status'], place)
  const param = `${place}.content`
  const { role } = item
  if (role === 'user') return { role, content: partsAt(item.content, param, needs) }
  const text = textOnlyAt(item.content, param)
  if (role === 'system' || role === 'developer') return { role: 'system', content: text }
  if (role === 'assistant') return { role, content: text, toolCalls: [] }
  return refuse(`\`${place}.role\` must be system, developer, user or assistant.`, `${place}.role`)
}

/** Content that can only be text: a string, or parts of text. */
function textOnlyAt(value: unknown, param: string): string {
  return partsAt(value, param, () => refuse(`\`${param}\` must be text.`, param, 'unsupported_value'))
    .map((part) => (part.type === 'text' ? part.text : ''))
    .join('')
}

function partsAt(value: unknown, param: string, needs: Needs): Part[] {
  if (!Array.isArray(value)) return [{ type: 'text', text: textAt(value, param) }]
  return arrayAt(value, param, MAX_PARTS).map((entry, at): Part => {
    const place = `${param}[${at}]`
    const part = objectAt(entry, place)
    if (part.type === 'input_image') {
      onlyMembers(part, ['type', 'image_url', 'detail'], place)
      onlyAutoDetail(part, place)
      needs('images', `${place}.type`)
      return dataUrlAt(part.image_url, `${place}.image_url`)
    }
    if (part.type !== 'input_text' && part.type !== 'output_text') {
      refuse(`\`${place}.type\` is not supported here.`, `${place}.type`, 'unsupported_value')
    }
    // `annotations` and `logprobs` come back empty from answers that are sent as they were.
    for (const name of ['annotations', 'logprobs']) if (isEmptyArray(part[name])) delete part[name]
    onlyMembers(part, ['type', 'text', ...PARSED], place)
    return { type: 'text', text: textAt(part.text, `${place}.text`) }
  })
}
