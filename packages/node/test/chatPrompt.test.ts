/** What of a conversation a template that knows roles alone is given. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatMessage, ChatWork } from '../src/engines/engine.ts'
import { chatHistory, chatText } from '../src/engines/llama/chatPrompt.ts'

const work = (messages: ChatMessage[]): ChatWork => ({
  kind: 'chat',
  messages,
  tools: [],
  toolChoice: 'auto',
  parallelTools: true,
  format: { type: 'text' },
  settings: { sampling: {}, maxTokens: 1, stop: [], choices: 1 },
})
const user = (text: string, name?: string): ChatMessage => ({
  role: 'user',
  content: [{ type: 'text', text }],
  name,
})
const call = { id: 'a', name: 'f', arguments: '{}' }

test('users are named in their turns, answerers in the system message, and their turns stay as the model wrote them', () => {
  const named = work([
    { role: 'system', content: 'Be brief.' },
    user('Where?', 'Alice'),
    { role: 'assistant', content: '', toolCalls: [call], name: 'guide' },
    { role: 'tool', callId: 'a', content: 'here' },
    { role: 'assistant', content: 'Here.', toolCalls: [] },
    { role: 'system', content: 'Now French.', name: 'editor' },
    user('Encore?'),
  ])
  assert.deepEqual(chatHistory(named), [
    {
      type: 'system',
      text: 'Be brief.\n\nThe earlier answers in this conversation were given by, in their order: guide, (no name).',
    },
    { type: 'user', text: 'Alice said:\nWhere?' },
    { type: 'model', response: ['<tool_call>[{"name": "f", "arguments": {}}]</tool_call>'] },
    { type: 'user', text: '<tool_response>\nhere\n</tool_response>' },
    { type: 'model', response: ['Here.'] },
    { type: 'system', text: 'editor said:\nNow French.' },
    { type: 'user', text: 'Encore?' },
    { type: 'model', response: [] },
  ])
  assert.ok(chatText(named).includes('guide'))
})

test('where nobody has a name nothing is said of names', () => {
  const [system, first] = chatHistory(work([user('Where?')]))
  assert.deepEqual(system, { type: 'system', text: 'You are a helpful assistant.' })
  assert.deepEqual(first, { type: 'user', text: 'Where?' })
})
