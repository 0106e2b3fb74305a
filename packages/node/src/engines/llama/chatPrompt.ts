import type { ChatHistoryItem } from 'node-llama-cpp'
import type { ChatMessage, ChatWork } from '../engine.ts'
import { assistantText, toolInstructions, toolResponseText } from './toolCalls.ts'

/**
 * System message of a conversation that brings none. The model's own template has one that makes this small model
 * drift into French when asked greedily; this one does not.
 */
const DEFAULT_SYSTEM = 'You are a helpful assistant.'

/** The conversation as the model's template takes it, with an open answer at its end. */
export function chatHistory(work: ChatWork): ChatHistoryItem[] {
  const history = work.messages.map(historyItem)
  const extra = [toolInstructions(work), formatInstructions(work)].filter((text) => text !== '')
  const first = history[0]
  if (first?.type === 'system') {
    history[0] = { type: 'system', text: [first.text, ...extra].join('\n\n') }
  } else {
    history.unshift({ type: 'system', text: [DEFAULT_SYSTEM, ...extra].join('\n\n') })
  }
  // An open answer at the end is what makes the template write the assistant's opening.
  history.push({ type: 'model', response: [] })
  return history
}

function historyItem(message: ChatMessage): ChatHistoryItem {
  switch (message.role) {
    case 'system':
      return { type: 'system', text: message.content }
    case 'user':
      return { type: 'user', text: userText(message.content) }
    case 'assistant':
      return { type: 'model', response: [assistantText(message.content, message.toolCalls)] }
    case 'tool':
      return { type: 'user', text: toolResponseText(message.content) }
  }
}

function userText(parts: Extract<ChatMessage, { role: 'user' }>['content']): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

function formatInstructions({ format }: ChatWork): string {
  return format.type === 'json_schema'
    ? `Answer in JSON that follows this schema: ${JSON.stringify(format.schema)}`
    : ''
}

/** All text that the prompt will hold at least, to judge its length before it is tokenised. */
export function chatText(work: ChatWork): string {
  const texts = work.messages.map((message) => {
    if (message.role === 'user') return userText(message.content)
    return message.role === 'assistant' ? assistantText(message.content, message.toolCalls) : message.content
  })
  return [toolInstructions(work), formatInstructions(work), ...texts].join('')
}
