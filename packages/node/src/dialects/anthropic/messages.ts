import type { ChatMessage, Part, ToolCall } from '../../engines/engine.ts'
import type { Needs } from '../dialect.ts'
import {
  arrayAt,
  booleanAt,
  type Fields,
  nameOf,
  objectAt,
  onlyMembers,
  optional,
  textAt,
} from '../fields.ts'
import { imageSourceAt } from '../images.ts'
import { refuse } from '../refusal.ts'
import { callIdAt } from '../tools.ts'

const MAX_MESSAGES = 512
const MAX_BLOCKS = 256

/** `system`: text, or text blocks. */
export function systemAt(value: unknown): ChatMessage[] {
  return value === undefined ? [] : [{ role: 'system', content: textBlocksAt(value, 'system') }]
}

/** The `messages` of Anthropic's dialect; one of its turns may be several of ours. @throws Refusal */
export function anthropicMessagesAt(value: unknown, needs: Needs): ChatMessage[] {
  const entries = arrayAt(value, 'messages', MAX_MESSAGES)
  if (entries.length === 0) refuse('`messages` must not be empty.', 'messages')
  const messages = entries.flatMap((entry, at) => turnAt(entry, `messages[${at}]`, needs))
  if (messages.at(-1)?.role === 'assistant') {
    refuse(
      "The last of `messages` must not be the assistant's: continuing an answer is not supported.",
      'messages',
    )
  }
  return messages
}

function turnAt(value: unknown, place: string, needs: Needs): ChatMessage[] {
  const message = objectAt(value, place)
  onlyMembers(message, ['role', 'content'], place)
  const param = `${place}.content`
  if (message.role === 'system') return [{ role: 'system', content: textBlocksAt(message.content, param) }]
  if (message.role === 'assistant') return [assistantAt(message.content, param, needs)]
  if (message.role === 'user') return userAt(message.content, param, needs)
  return refuse(`\`${place}.role\` must be user, assistant or system.`, `${place}.role`)
}

/** Results of calls come before what the user adds, as the model asked for them. */
function userAt(value: unknown, param: string, needs: Needs): ChatMessage[] {
  if (!Array.isArray(value))
    return [{ role: 'user', content: [{ type: 'text', text: textAt(value, param) }] }]
  const results: ChatMessage[] = []
  const parts: Part[] = []
  for (const [at, entry] of arrayAt(value, param, MAX_BLOCKS).entries()) {
    const place = `${param}[${at}]`
    const block = objectAt(entry, place)
    if (block.type === 'tool_result') results.push(toolResultAt(block, place, needs))
    else parts.push(partAt(block, place, needs))
  }
  if (parts.length > 0) results.push({ role: 'user', content: parts })
  if (results.length === 0) refuse(`\`${param}\` must not be empty.`, param)
  return results
}

function partAt(block: Fields, place: string, needs: Needs): Part {
  if (block.type === 'image') {
    onlyMembers(block, ['type', 'source', 'cache_control'], place)
    needs('images', `${place}.type`)
    return imageSourceAt(block.source, `${place}.source`)
  }
  return { type: 'text', text: textBlockAt(block, place) }
}

function toolResultAt(block: Fields, place: string, needs: Needs): ChatMessage {
  onlyMembers(block, ['type', 'tool_use_id', 'content', 'is_error', 'cache_control'], place)
  needs('tools', `${place}.type`)
  const text =
    block.content === undefined || block.content === null
      ? ''
      : textBlocksAt(block.content, `${place}.content`)
  const failed = optional(block, 'is_error', booleanAt, place) ?? false
  return {
    role: 'tool',
    callId: callIdAt(block.tool_use_id, `${place}.tool_use_id`),
    content: failed ? `Error: ${text}` : text,
  }
}

function assistantAt(value: unknown, param: string, needs: Needs): ChatMessage {
  if (!Array.isArray(value)) return { role: 'assistant', content: textAt(value, param), toolCalls: [] }
  let content = ''
  const toolCalls: ToolCall[] = []
  for (const [at, entry] of arrayAt(value, param, MAX_BLOCKS).entries()) {
    const place = `${param}[${at}]`
    const block = objectAt(entry, place)
    // Anthropic's own API lets its models forget earlier thinking; one that never thought has nothing to read there.
    if (block.type === 'thinking' || block.type === 'redacted_thinking') continue
    if (block.type === 'tool_use') {
      needs('tools', `${place}.type`)
      toolCalls.push(toolUseAt(block, place))
    } else content += textBlockAt(block, place)
  }
  return { role: 'assistant', content, toolCalls }
}

function toolUseAt(block: Fields, place: string): ToolCall {
  // `caller` comes back from answers that are sent as they were.
  onlyMembers(block, ['type', 'id', 'name', 'input', 'cache_control', 'caller'], place)
  return {
    id: callIdAt(block.id, `${place}.id`),
    name: textAt(block.name, `${place}.name`, 64),
    arguments: JSON.stringify(objectAt(block.input, `${place}.input`)),
  }
}

function textBlocksAt(value: unknown, param: string): string {
  if (!Array.isArray(value)) return textAt(value, param)
  return arrayAt(value, param, MAX_BLOCKS)
    .map((entry, at) => textBlockAt(objectAt(entry, `${param}[${at}]`), `${param}[${at}]`))
    .join('')
}

/** `cache_control` asks for a discount, not for another answer: it is read, and usage says that nothing was cached. */
function textBlockAt(block: Fields, place: string): string {
  if (block.type !== 'text') {
    const type = typeof block.type === 'string' ? `"${nameOf(block.type)}"` : 'of this type'
    refuse(`\`${place}.type\`: blocks ${type} are not supported here.`, `${place}.type`, 'unsupported_value')
  }
  // null and [] come back from answers that are sent as they were.
  if (Array.isArray(block.citations) && block.citations.length > 0) {
    refuse(`\`${place}.citations\` is not supported.`, `${place}.citations`, 'unsupported_parameter')
  }
  onlyMembers(block, ['type', 'text', 'cache_control', 'citations'], place)
  return textAt(block.text, `${place}.text`)
}
