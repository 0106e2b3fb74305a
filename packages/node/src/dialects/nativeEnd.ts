import type { InferenceRoute } from '@assay/protocol'
import type { Usage } from '../engines/engine.ts'
import { messagesWriter } from './anthropic/writeMessages.ts'
import type { AnswerHead } from './dialect.ts'
import { usageJson } from './openai/writeChat.ts'

type NativeEnd = {
  route: InferenceRoute
  head: AnswerHead
  /** What was passed on so far, as `nativeStream` wrote it. */
  said: string
  /** Of the answer as far as it went. */
  usage: Usage
  includeUsage: boolean
}

/**
 * What an upstream's stream lacks where its client had heard enough, up to its terminal event. The upstream is not asked
 * for its end any more, and the vendors' clients take an answer without a reason for its end for one that broke off.
 */
export function nativeEnd(end: NativeEnd): string {
  const events = end.said
    .split('\n\n')
    .map((block) => block.replace(/^event: .*\n/, ''))
    .filter((block) => block !== '')
    // What went out was JSON when it came in.
    .map((block) => JSON.parse(block.replaceAll(/^data: /gm, '')) as Record<string, unknown>)
  return end.route === 'messages' ? messagesEnd(events, end) : chunksEnd(events, end)
}

function chunksEnd(
  chunks: readonly Record<string, unknown>[],
  { route, head, usage, includeUsage }: NativeEnd,
): string {
  const isChat = route === 'chat'
  const ours = { ...head, object: isChat ? 'chat.completion.chunk' : 'text_completion' }
  const { id, object, created, model } = { ...ours, ...chunks.at(-1) }
  const begun = new Set<unknown>()
  const ended = new Set<unknown>()
  for (const { choices } of chunks) {
    for (const choice of Array.isArray(choices) ? choices : []) {
      const { index, finish_reason: reason } = choice as Record<string, unknown>
      begun.add(index)
      if (typeof reason === 'string') ended.add(index)
    }
  }
  const isEmpty = begun.size === 0
  if (isEmpty) begun.add(0)
  const nothing = isChat ? { delta: isEmpty ? { role: 'assistant', content: '' } : {} } : { text: '' }
  const left = [...begun].filter((index) => !ended.has(index))
  const ends: object[] = left.map((index) => ({
    choices: [{ index, ...nothing, logprobs: null, finish_reason: 'stop' }],
    ...(includeUsage ? { usage: null } : {}),
  }))
  if (includeUsage) ends.push({ choices: [], usage: usageJson(usage) })
  return ends
    .map((members) => `data: ${JSON.stringify({ id, object, created, model, ...members })}\n\n`)
    .join('')
}

function messagesEnd(
  events: readonly { type?: unknown; index?: unknown }[],
  { head, usage }: NativeEnd,
): string {
  const has = (type: string) => events.some((event) => event.type === type)
  if (!has('message_start')) {
    const nothing = messagesWriter(head).stream()
    return nothing.open(usage.inputUnits) + nothing.close(usage)
  }
  const open = new Set<unknown>()
  for (const { type, index } of events) {
    if (type === 'content_block_start') open.add(index)
    if (type === 'content_block_stop') open.delete(index)
  }
  const stops = [...open].map((index) => ({ type: 'content_block_stop', index }))
  const reason = {
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: usage.outputUnits },
  }
  return [...stops, ...(has('message_delta') ? [] : [reason])]
    .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join('')
}
