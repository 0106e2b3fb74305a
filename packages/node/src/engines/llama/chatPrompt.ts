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
  const extra = instructions(work).filter((text) => text !== '')
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
      return { type: 'system', text: saidBy(message.name, message.content) }
    case 'user':
      return { type: 'user', text: saidBy(message.name, userText(message.content)) }
    case 'assistant':
      return { type: 'model', response: [assistantText(message.content, message.toolCalls)] }
    case 'tool':
      return { type: 'user', text: toolResponseText(message.content) }
  }
}

/** Templates know roles and no names. AutoGen tells models without names so who speaks (`add_name_prefixes`). */
function saidBy(name: string | undefined, text: string): string {
  return name === undefined ? text : `${name} said:\n${text}`
}

/**
 * Who gave the earlier answers, where they have names. At the head of those turns a name would be what the model begins its
 * own answer with, before a call of a function even.
 */
function answererInstructions({ messages }: ChatWork): string {
  const names = messages.flatMap((message) => (message.role === 'assistant' ? [message.name] : []))
  if (names.every((name) => name === undefined)) return ''
  const listed = names.map((name) => name ?? '(no name)').join(', ')
  return `The earlier answers in this conversation were given by, in their order: ${listed}.`
}

/** What stands in the system message beside what the caller says there. */
function instructions(work: ChatWork): string[] {
  return [answererInstructions(work), toolInstructions(work), formatInstructions(work)]
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
  return [...instructions(work), ...texts].join('')
}
