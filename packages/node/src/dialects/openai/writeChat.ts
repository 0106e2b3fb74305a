import { errorEvent } from '@assay/protocol'
import type { AnswerEvent, FinishReason, TokenLogprob, Usage } from '../../engines/engine.ts'
import { type Choice, callsOf, textOf } from '../answer.ts'
import type { AnswerHead, AnswerWriter, StreamWriter } from '../dialect.ts'

/** Ends a stream of OpenAI's older dialects. */
export const DONE = 'data: [DONE]\n\n'

export function usageJson({ inputUnits, outputUnits }: Usage): Record<string, number> {
  return {
    prompt_tokens: inputUnits,
    completion_tokens: outputUnits,
    total_tokens: inputUnits + outputUnits,
  }
}

/** A stream cannot take back what it said before a refusal, so that is told by the reason, as of a filter. */
function finishOf(reason: FinishReason): string {
  return reason === 'refusal' ? 'content_filter' : reason
}

function logprobJson(entry: TokenLogprob): Record<string, unknown> {
  const plain = ({ token, logprob, bytes }: TokenLogprob) => ({ token, logprob, bytes })
  return { ...plain(entry), top_logprobs: entry.top.map(plain) }
}

function logprobsJson(entries: readonly TokenLogprob[] | undefined): unknown {
  return entries === undefined ? null : { content: entries.map(logprobJson), refusal: null }
}

/** Answers of chat/completions. */
export function chatWriter(head: AnswerHead, includeUsage: boolean): AnswerWriter {
  return {
    whole({ choices }, usage) {
      return new TextEncoder().encode(
        JSON.stringify({
          id: head.id,
          object: 'chat.completion',
          created: head.created,
          model: head.model,
          choices: choices.map(choiceJson),
          usage: usageJson(usage),
        }),
      )
    },
    stream: () => chatStream(head, includeUsage),
  }
}

function choiceJson(choice: Choice, index: number): Record<string, unknown> {
  const calls = callsOf(choice)
  const text = textOf(choice)
  return {
    index,
    message: {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      refusal: null,
      ...(calls.length === 0
        ? {}
        : {
            tool_calls: calls.map((call) => ({
              id: call.id,
              type: 'function',
              function: { name: call.name, arguments: call.arguments },
            })),
          }),
    },
    logprobs: logprobsJson(choice.logprobs),
    finish_reason: finishOf(choice.finish),
  }
}

/** Events in order: the role of each choice before its first step, its steps, its end; usage if asked for; done. */
function chatStream(head: AnswerHead, includeUsage: boolean): StreamWriter {
  const begun = new Set<number>()
  const chunk = (choices: unknown[], usage?: Usage): string =>
    `data: ${JSON.stringify({
      id: head.id,
      object: 'chat.completion.chunk',
      created: head.created,
      model: head.model,
      choices,
      // With include_usage every chunk has the member, null but in the last (OpenAI's reference).
      ...(includeUsage ? { usage: usage === undefined ? null : usageJson(usage) } : {}),
    })}\n\n`
  const delta = (index: number, change: Record<string, unknown>, logprobs: unknown = null): string =>
    chunk([{ index, delta: change, logprobs, finish_reason: null }])
  const begin = (index: number): string => {
    if (begun.has(index)) return ''
    begun.add(index)
    return delta(index, { role: 'assistant', content: '' })
  }
  const step = (event: AnswerEvent): string => {
    switch (event.type) {
      case 'text':
        return delta(event.choice, { content: event.text }, logprobsJson(event.logprobs))
      case 'tool':
        return delta(event.choice, {
          tool_calls: [
            {
              index: event.index,
              id: event.id,
              type: 'function',
              function: { name: event.name, arguments: '' },
            },
          ],
        })
      case 'arguments':
        return delta(event.choice, {
          tool_calls: [{ index: event.index, function: { arguments: event.text } }],
        })
      case 'finish':
        return chunk([
          { index: event.choice, delta: {}, logprobs: null, finish_reason: finishOf(event.reason) },
        ])
      default:
        // Thinking has no place in this dialect.
        return ''
    }
  }
  return {
    open: () => '',
    event: (event) => ('choice' in event ? begin(event.choice) + step(event) : ''),
    close: (usage) => (includeUsage ? chunk([], usage) : ''),
    terminal: () => DONE,
    fail: (error) => ({ event: errorEvent(error, '/v1/chat/completions'), terminal: DONE }),
  }
}
