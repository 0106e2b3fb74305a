import type { AnswerEvent, ChatMessage, ChatWork, FinishReason } from '../engine.ts'
import { type Bridge, toolChoiceName } from './bridge.ts'
import { readCallId } from './signedCall.ts'

type Block = Record<string, unknown>
type Turn = { role: 'user' | 'assistant'; content: Block[] }

/** Asks an upstream of Anthropic's dialect on behalf of a client of another. */
export const anthropicBridge: Bridge = {
  path: '/messages',
  body(work, target) {
    const { sampling, maxTokens, stop } = work.settings
    const system = work.messages.flatMap((message) => (message.role === 'system' ? [message.content] : []))
    return {
      model: target.model,
      max_tokens: maxTokens,
      stream: true,
      // Anthropic keeps instructions apart from the conversation, wherever in it they stood.
      ...(system.length > 0 ? { system: system.join('\n\n') } : {}),
      messages: turnsOf(work.messages),
      temperature: sampling.temperature,
      top_p: sampling.topP,
      top_k: sampling.topK,
      ...(stop.length > 0 ? { stop_sequences: stop } : {}),
      ...(work.tools.length > 0 ? { tools: work.tools.map(toolJson), tool_choice: toolChoice(work) } : {}),
      ...(work.format.type === 'json_schema'
        ? { output_config: { format: { type: 'json_schema', schema: work.format.schema } } }
        : {}),
    }
  },
  reader: anthropicReader,
}

/** Messages as turns that alternate: results of calls and what the user adds are one turn there. */
function turnsOf(messages: readonly ChatMessage[]): Turn[] {
  const turns: Turn[] = []
  for (const message of messages) {
    if (message.role === 'system') continue
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...blocksOf(message))
    else turns.push({ role, content: blocksOf(message) })
  }
  return turns
}

function blocksOf(message: Exclude<ChatMessage, { role: 'system' }>): Block[] {
  switch (message.role) {
    case 'tool':
      return [{ type: 'tool_result', tool_use_id: readCallId(message.callId).id, content: message.content }]
    case 'assistant':
      return [
        ...(message.content === '' ? [] : [{ type: 'text', text: message.content }]),
        ...message.toolCalls.map(({ id, name, arguments: args }) => ({
          type: 'tool_use',
          id: readCallId(id).id,
          name,
          input: JSON.parse(args) as unknown,
        })),
      ]
    case 'user':
      return message.content.map((part) =>
        part.type === 'text'
          ? part
          : { type: 'image', source: { type: 'base64', media_type: part.mediaType, data: part.base64 } },
      )
  }
}

function toolJson({ name, description, parameters, strict }: ChatWork['tools'][number]): Block {
  return { name, description, input_schema: parameters, ...(strict ? { strict } : {}) }
}

function toolChoice(work: ChatWork): Block {
  if (work.toolChoice === 'none') return { type: 'none' }
  const parallel = { disable_parallel_tool_use: !work.parallelTools }
  const name = toolChoiceName(work)
  if (name !== undefined) return { type: 'tool', name, ...parallel }
  return { type: work.toolChoice === 'required' ? 'any' : 'auto', ...parallel }
}

const FINISHES: Record<string, FinishReason> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'refusal',
}

type StreamEvent = {
  type?: unknown
  content_block?: { type?: unknown; id?: unknown; name?: unknown; data?: unknown; text?: unknown }
  delta?: {
    type?: unknown
    text?: unknown
    thinking?: unknown
    signature?: unknown
    partial_json?: unknown
    stop_reason?: unknown
    stop_sequence?: unknown
  }
}

function anthropicReader() {
  let calls = 0
  /** Whether the open call has had any arguments. */
  let isBare = false
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')

  /** A call without arguments is an empty object to clients of the other dialect, once it is known to be whole. */
  function fill(): AnswerEvent[] {
    if (!isBare) return []
    isBare = false
    return [{ type: 'arguments', choice: 0, index: calls - 1, text: '{}' }]
  }

  function begin(block: NonNullable<StreamEvent['content_block']>): AnswerEvent[] {
    if (block.type === 'redacted_thinking') return [{ type: 'redacted', choice: 0, data: text(block.data) }]
    if (block.type !== 'tool_use') return []
    isBare = true
    return [{ type: 'tool', choice: 0, index: calls++, id: text(block.id), name: text(block.name) }]
  }

  function step(delta: NonNullable<StreamEvent['delta']>): AnswerEvent[] {
    switch (delta.type) {
      case 'text_delta':
        return [{ type: 'text', choice: 0, text: text(delta.text) }]
      case 'thinking_delta':
        return [{ type: 'thinking', choice: 0, text: text(delta.thinking) }]
      case 'signature_delta':
        return [{ type: 'signature', choice: 0, signature: text(delta.signature) }]
      case 'input_json_delta':
        if (text(delta.partial_json) === '') return []
        isBare = false
        return [{ type: 'arguments', choice: 0, index: calls - 1, text: text(delta.partial_json) }]
      default:
        return []
    }
  }

  return {
    isEnd: (data: string) => /^\{"type":\s*"message_stop"/.test(data),
    read(json: object): AnswerEvent[] {
      const { type, content_block: block, delta } = json as StreamEvent
      if (type === 'content_block_start' && block !== undefined) return [...fill(), ...begin(block)]
      if (type === 'content_block_delta' && delta !== undefined) return step(delta)
      if (type === 'message_delta' && typeof delta?.stop_reason === 'string') {
        const reason = FINISHES[delta.stop_reason] ?? 'stop'
        const stopText = typeof delta.stop_sequence === 'string' ? delta.stop_sequence : undefined
        // The limit ends the open block too: what it cut off before its arguments is no whole call.
        return [...(reason === 'length' ? [] : fill()), { type: 'finish', choice: 0, reason, stopText }]
      }
      return []
    },
  }
}
