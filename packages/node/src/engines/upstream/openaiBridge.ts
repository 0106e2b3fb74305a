import type { AnswerEvent, ChatMessage, ChatWork, FinishReason, ToolCall } from '../engine.ts'
import type { Bridge } from './bridge.ts'
import { toolChoiceName } from './bridge.ts'
import { type CallDelta, createCallReader } from './callReader.ts'
import type { Target } from './providers.ts'
import { readCallId } from './signedCall.ts'

/** Asks an upstream of OpenAI's dialect on behalf of a client of another. */
export const openaiBridge: Bridge = {
  path: '/chat/completions',
  body(work, target, contextLength) {
    const { sampling, maxTokens, stop } = work.settings
    const tools = work.tools.map(({ name, description, parameters, strict }) => ({
      type: 'function',
      function: { name, description, parameters, ...(strict ? { strict } : {}) },
    }))
    return {
      model: target.model,
      messages: work.messages.map((message) => messageJson(message, target)),
      stream: true,
      stream_options: { include_usage: true },
      // vLLM refuses a limit that prompt and answer together could not keep to.
      ...(maxTokens < contextLength ? { [limitName(target)]: maxTokens } : {}),
      temperature: sampling.temperature,
      top_p: sampling.topP,
      seed: sampling.seed,
      frequency_penalty: sampling.frequencyPenalty,
      presence_penalty: sampling.presencePenalty,
      ...(stop.length > 0 ? { stop } : {}),
      ...(tools.length > 0 ? { tools, tool_choice: toolChoice(work) } : {}),
      // Only where it is not the default: OpenAI's reasoning models refuse the very name.
      ...(tools.length > 0 && !work.parallelTools ? { parallel_tool_calls: false } : {}),
      ...(work.format.type === 'text' ? {} : { response_format: responseFormat(work) }),
    }
  },
  reader: openaiReader,
}

/** OpenAI's newer models refuse the older name, and some servers do not know the newer one. */
function limitName({ provider }: Target): string {
  return provider === 'openai' ? 'max_completion_tokens' : 'max_tokens'
}

function messageJson(message: ChatMessage, target: Target): Record<string, unknown> {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.content }
    case 'tool':
      return { role: 'tool', tool_call_id: readCallId(message.callId).id, content: message.content }
    case 'assistant':
      return {
        role: 'assistant',
        content: message.content,
        ...(message.toolCalls.length > 0
          ? { tool_calls: message.toolCalls.map((call) => callJson(call, target)) }
          : {}),
      }
    case 'user': {
      if (message.content.every(({ type }) => type === 'text')) {
        return {
          role: 'user',
          content: message.content.map((part) => ('text' in part ? part.text : '')).join(''),
        }
      }
      return {
        role: 'user',
        content: message.content.map((part) =>
          part.type === 'text'
            ? part
            : { type: 'image_url', image_url: { url: `data:${part.mediaType};base64,${part.base64}` } },
        ),
      }
    }
  }
}

function callJson(
  { id: told, name, arguments: args }: ToolCall,
  { provider }: Target,
): Record<string, unknown> {
  const { id, signature } = readCallId(told)
  // Whoever did not sign it may refuse a member that it does not know.
  const wantsItBack = provider === 'gemini' || provider === 'openai-compatible'
  return {
    id,
    type: 'function',
    function: { name, arguments: args },
    ...(signature !== undefined && wantsItBack
      ? { extra_content: { google: { thought_signature: signature } } }
      : {}),
  }
}

function toolChoice(work: ChatWork): unknown {
  const name = toolChoiceName(work)
  return name === undefined ? work.toolChoice : { type: 'function', function: { name } }
}

function responseFormat({ format }: ChatWork): unknown {
  if (format.type !== 'json_schema') return { type: format.type }
  const { name, schema, strict } = format
  return { type: 'json_schema', json_schema: { name, schema, ...(strict ? { strict } : {}) } }
}

type Delta = {
  content?: unknown
  refusal?: unknown
  reasoning_content?: unknown
  reasoning?: unknown
  tool_calls?: unknown
}
type Choice = {
  delta?: Delta | null
  finish_reason?: unknown
  /** What ended it, as vLLM says it and as SGLang does: a stop text, or a token of the model's own. */
  stop_reason?: unknown
  matched_stop?: unknown
}
type Chunk = { choices?: Choice[] }

const FINISHES: Record<string, FinishReason> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
}

function openaiReader(stop: readonly string[]) {
  const calls = createCallReader()
  /** Words that came in the middle of a call: in the other dialects nothing stands inside of one. */
  const held: AnswerEvent[] = []
  let refused = false
  const filled = (value: unknown): value is string => typeof value === 'string' && value !== ''
  /** The caller's text that ended it: what else ended it is none of the caller's. */
  const stopTextOf = ({ stop_reason, matched_stop }: Choice): string | undefined =>
    stop.find((text) => text === stop_reason || text === matched_stop)

  return {
    isEnd: (data: string) => data.startsWith('[DONE]'),
    read(json: object): AnswerEvent[] {
      const [choice] = (json as Chunk).choices ?? []
      if (choice === undefined) return []
      const { finish_reason: finish } = choice
      const delta = choice.delta ?? {}
      const thought = delta.reasoning_content ?? delta.reasoning
      if (filled(thought)) held.push({ type: 'thinking', choice: 0, text: thought })
      if (filled(delta.content)) held.push({ type: 'text', choice: 0, text: delta.content })
      if (filled(delta.refusal)) {
        refused = true
        held.push({ type: 'text', choice: 0, text: delta.refusal })
      }
      const events = held.length > 0 && calls.settle() ? held.splice(0) : []
      if (Array.isArray(delta.tool_calls)) {
        events.push(...delta.tool_calls.flatMap((call) => calls.read(call as CallDelta)))
      }
      if (typeof finish === 'string') {
        events.push(...calls.end(finish === 'length'), ...held.splice(0))
        const named = refused ? 'refusal' : (FINISHES[finish] ?? 'stop')
        // OpenAI says "stop" where the function was named in the request; the other dialects go by the call.
        const reason = named === 'stop' && calls.count() > 0 ? 'tool_calls' : named
        // What ends in a call is told as one: no client would run it behind another reason.
        const stopText = reason === 'stop' ? stopTextOf(choice) : undefined
        events.push({ type: 'finish', choice: 0, reason, stopText })
      }
      return events
    },
  }
}
