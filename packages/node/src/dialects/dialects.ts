import { anthropicMessages } from './anthropic/readMessages.ts'
import type { Dialect } from './dialect.ts'
import { assayInfer } from './infer.ts'
import { openaiCompletions } from './openai/completions.ts'
import { openaiEmbeddings } from './openai/embeddings.ts'
import { openaiChat } from './openai/readChat.ts'
import { openaiResponses } from './openai/readResponses.ts'

/** Every paid path that this node answers. */
export const DIALECTS: Readonly<Record<string, Dialect>> = {
  '/v1/chat/completions': openaiChat,
  '/v1/completions': openaiCompletions,
  '/v1/embeddings': openaiEmbeddings,
  '/v1/infer': assayInfer,
  '/v1/responses': openaiResponses,
  '/v1/messages': anthropicMessages,
}
