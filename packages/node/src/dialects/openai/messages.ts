import type { ChatMessage, Part, ToolCall } from '../../engines/engine.ts'
import type { Needs } from '../dialect.ts'
import {
  arrayAt,
  type Fields,
  isEmptyArray,
  nameOf,
  objectAt,
  onlyMembers,
  optional,
  textAt,
} from '../fields.ts'
import { dataUrlAt, onlyAutoDetail } from '../images.ts'
import { refuse } from '../refusal.ts'
import { callIdAt } from '../tools.ts'
import { PARSED } from './parsed.ts'

/** Most messages of one conversation, parts of one message, and calls of one answer. */
const MAX_MESSAGES = 512
const MAX_PARTS = 64
const MAX_CALLS = 64

/** The `messages` of chat/completions. @throws Refusal */
export function messagesAt(value: unknown, needs: Needs): ChatMessage[] {
  const entries = arrayAt(value, 'messages', MAX_MESSAGES)
  if (entries.length === 0) refuse('`messages` must not be empty.', 'messages')
  const messages = entries.map((entry, at) => messageAt(entry, `messages[${at}]`, needs))
  if (messages.at(-1)?.role === 'assistant') {
    refuse(
      "The last of `messages` must not be the assistant's: continuing an answer is not supported.",
      'messages',
    )
  }
  return messages
}

function messageAt(value: unknown, place: string, needs: Needs): ChatMessage {
  const message = objectAt(value, place)
  switch (message.role) {
    case 'system':
    case 'developer': // OpenAI's newer name for the system role
      onlySaid(message, ['role', 'content', 'name'], place)
      return {
        role: 'system',
        content: textContentAt(message.content, `${place}.content`),
        ...speakerOf(message, place, needs),
      }
    case 'user':
      onlySaid(message, ['role', 'content', 'name'], place)
      return {
        role: 'user',
        content: partsAt(message.content, `${place}.content`, needs),
        ...speakerOf(message, place, needs),
      }
    case 'assistant':
      return assistantAt(message, place, needs)
    case 'tool':
      // The name is the function's, which the call of this id has told already; LangChain.js always sends it.
      onlySaid(message, ['role', 'content', 'tool_call_id', 'name'], place)
      optional(message, 'name', textAt, place)
      needs('tools', `${place}.role`)
      return {
        role: 'tool',
        callId: callIdAt(message.tool_call_id, `${place}.tool_call_id`),
        content: textContentAt(message.content, `${place}.content`),
      }
    default:
      return refuse(`\`${place}.role\` must be system, developer, user, assistant or tool.`, `${place}.role`)
  }
}

function assistantAt(message: Fields, place: string, needs: Needs): ChatMessage {
  onlySaid(message, ['role', 'content', 'tool_calls', 'refusal', 'name', ...PARSED], place)
  const toolCalls =
    message.tool_calls === undefined || message.tool_calls === null
      ? []
      : arrayAt(message.tool_calls, `${place}.tool_calls`, MAX_CALLS).map((call, at) =>
          toolCallAt(call, `${place}.tool_calls[${at}]`),
        )
  if (toolCalls.length > 0) needs('tools', `${place}.tool_calls`)
  // An earlier refusal comes back as it was sent; it was the answer.
  const words = optional(message, 'refusal', textAt, place) ?? ''
  const isEmpty = message.content === undefined || message.content === null || message.content === ''
  if (words !== '' && !isEmpty) {
    refuse(`\`${place}\` holds an answer and a refusal: send the one that it was.`, `${place}.refusal`)
  }
  const said = words !== '' ? words : message.content
  const content =
    said === undefined || said === null
      ? toolCalls.length > 0
        ? ''
        : textAt(said, `${place}.content`)
      : textContentAt(said, `${place}.content`)
  return { role: 'assistant', content, toolCalls, ...speakerOf(message, place, needs) }
}

/** As OpenAI's API has it; what opens a tag or a line could pass for more than a name. */
const SPEAKER = /^[^\s<|\\/>]{1,64}$/u

/** Who speaks, which has to reach the model. */
function speakerOf(message: Fields, place: string, needs: Needs): { name?: string } {
  const name = optional(message, 'name', textAt, place)
  if (name === undefined) return {}
  if (!SPEAKER.test(name)) {
    const rule = 'has 1 to 64 characters, none of them a space, <, >, |, / or a backslash'
    refuse(`\`${place}.name\` ${rule}.`, `${place}.name`)
  }
  needs('names', `${place}.name`)
  return { name }
}

function toolCallAt(value: unknown, place: string): ToolCall {
  const call = objectAt(value, place)
  onlyMembers(call, ['id', 'type', 'function', 'index'], place)
  if (call.type !== 'function')
    refuse(`\`${place}.type\` must be "function".`, `${place}.type`, 'unsupported_value')
  const target = objectAt(call.function, `${place}.function`)
  onlyMembers(target, ['name', 'arguments', ...PARSED], `${place}.function`)
  return {
    id: callIdAt(call.id, `${place}.id`),
    name: textAt(target.name, `${place}.function.name`, 64),
    arguments: textAt(target.arguments, `${place}.function.arguments`),
  }
}

/**
 * `annotations`, `audio` and the like come back from clients that send an earlier answer as it was; null and [] say
 * nothing.
 */
function onlySaid(message: Fields, known: readonly string[], place: string): void {
  for (const [name, member] of Object.entries(message)) {
    if (known.includes(name) || member === null) continue
    if ((name === 'annotations' || name === 'tool_calls') && isEmptyArray(member)) continue
    const param = `${place}.${nameOf(name)}`
    refuse(`\`${param}\` is not supported.`, param, 'unsupported_parameter')
  }
}

/** Content that can only be text: a string, or parts of type text. */
function textContentAt(value: unknown, param: string): string {
  if (!Array.isArray(value)) return textAt(value, param)
  return arrayAt(value, param, MAX_PARTS)
    .map((entry, at) => {
      const place = `${param}[${at}]`
      const part = objectAt(entry, place)
      if (part.type !== 'text')
        refuse(`\`${place}.type\` must be "text".`, `${place}.type`, 'unsupported_value')
      onlyMembers(part, ['type', 'text'], place)
      return textAt(part.text, `${place}.text`)
    })
    .join('')
}

function partsAt(value: unknown, param: string, needs: Needs): Part[] {
  if (!Array.isArray(value)) return [{ type: 'text', text: textAt(value, param) }]
  return arrayAt(value, param, MAX_PARTS).map((entry, at): Part => {
    const place = `${param}[${at}]`
    const part = objectAt(entry, place)
    if (part.type === 'text') {
      onlyMembers(part, ['type', 'text'], place)
      return { type: 'text', text: textAt(part.text, `${place}.text`) }
    }
    if (part.type !== 'image_url') {
      refuse(`\`${place}.type\` must be "text" or "image_url".`, `${place}.type`, 'unsupported_value')
    }
    onlyMembers(part, ['type', 'image_url'], place)
    needs('images', `${place}.type`)
    const image = objectAt(part.image_url, `${place}.image_url`)
    onlyMembers(image, ['url', 'detail'], `${place}.image_url`)
    onlyAutoDetail(image, `${place}.image_url`)
    return dataUrlAt(image.url, `${place}.image_url.url`)
  })
}
