import { anthropicMessages } from './anthropic/readMessages.ts'
import type { Dialect } from './dialect.ts'
import { openaiChat } from './openai/readChat.ts'

/** Every paid path that this node answers. */
export const DIALECTS: Readonly<Record<string, Dialect>> = {
  '/v1/chat/completions': openaiChat,
  '/v1/messages': anthropicMessages,
}
