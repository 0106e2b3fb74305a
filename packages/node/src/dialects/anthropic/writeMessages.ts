import { errorEvent } from '@assay/protocol'
import type { AnswerEvent, FinishReason, Usage } from '../../engines/engine.ts'
import type { Block, Choice } from '../answer.ts'
import type { AnswerHead, AnswerWriter, StreamWriter } from '../dialect.ts'

const PATH = '/v1/messages'
/** The model itself called, no tool of the provider. */
const DIRECT = { type: 'direct' }

function usageJson({ inputUnits, outputUnits }: Usage): Record<string, number> {
  return {
    input_tokens: inputUnits,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: outputUnits,
  }
}

function stopReason(reason: FinishReason, stopText: string | undefined): string {
  if (stopText !== undefined) return 'stop_sequence'
  if (reason === 'length') return 'max_tokens'
  if (reason === 'tool_calls') return 'tool_use'
  return reason === 'stop' ? 'end_turn' : 'refusal'
}

function messageJson(
  head: AnswerHead,
  content: unknown[],
  stop: { reason: string | null; sequence: string | null },
  usage: Usage,
): Record<string, unknown> {
  return {
    id: head.id,
    type: 'message',
    role: 'assistant',
    model: head.model,
    content,
    stop_reason: stop.reason,
    stop_sequence: stop.sequence,
    stop_details: null,
    container: null,
    usage: usageJson(usage),
  }
}

/** Answers of Anthropic's messages. */
export function messagesWriter(head: AnswerHead): AnswerWriter {
  return {
    whole({ choices }, usage) {
      const { blocks, finish, stopText }: Choice = choices[0] ?? NOTHING
      const stop = { reason: stopReason(finish, stopText), sequence: stopText ?? null }
      const message = messageJson(head, blocks.flatMap(blockJson), stop, usage)
      return new TextEncoder().encode(JSON.stringify(message))
    },
    stream: () => messagesStream(head),
  }
}

const NOTHING: Choice = { blocks: [], logprobs: undefined, finish: 'stop', stopText: undefined }

function blockJson(block: Block): unknown[] {
  switch (block.type) {
    case 'text':
      return block.text === '' ? [] : [{ type: 'text', text: block.text, citations: null }]
    case 'thinking':
      return [{ type: 'thinking', thinking: block.text, signature: block.signature }]
    case 'redacted':
      return [{ type: 'redacted_thinking', data: block.data }]
    case 'tool': {
      const input = inputOf(block.arguments)
      // Cut off by the limit, as the stop reason says: half a call is none.
      return input === undefined
        ? []
        : [{ type: 'tool_use', id: block.id, name: block.name, input, caller: DIRECT }]
    }
  }
}

function inputOf(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/**
 * message_start, ping, then the blocks one after another, each with its start, deltas and stop; message_delta with the
 * reason and the counts; message_stop.
 */
function messagesStream(head: AnswerHead): StreamWriter {
  let index = -1
  /** What the open block holds; of calls, which one. */
  let open: 'text' | 'thinking' | number | undefined
  let stop = { reason: stopReason('stop', undefined), sequence: null as string | null }

  const event = (data: { type: string } & Record<string, unknown>): string =>
    `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
  const end = (): string => {
    if (open === undefined) return ''
    open = undefined
    return event({ type: 'content_block_stop', index })
  }
  const begin = (kind: NonNullable<typeof open>, block: Record<string, unknown>): string => {
    const before = end()
    open = kind
    index++
    return before + event({ type: 'content_block_start', index, content_block: block })
  }
  const delta = (change: Record<string, unknown>): string =>
    event({ type: 'content_block_delta', index, delta: change })
  const beginThinking = (): string =>
    open === 'thinking' ? '' : begin('thinking', { type: 'thinking', thinking: '', signature: '' })

  const step = (found: AnswerEvent): string => {
    switch (found.type) {
      case 'text': {
        if (found.text === '') return ''
        const begun = open === 'text' ? '' : begin('text', { type: 'text', text: '', citations: null })
        return begun + delta({ type: 'text_delta', text: found.text })
      }
      case 'thinking':
        return beginThinking() + delta({ type: 'thinking_delta', thinking: found.text })
      case 'signature':
        return beginThinking() + delta({ type: 'signature_delta', signature: found.signature }) + end()
      case 'redacted':
        return begin('text', { type: 'redacted_thinking', data: found.data }) + end()
      case 'tool':
        return begin(found.index, {
          type: 'tool_use',
          id: found.id,
          name: found.name,
          input: {},
          caller: DIRECT,
        })
      case 'arguments':
        // Blocks follow one another in this dialect; what belongs to one that was closed has no place any more.
        if (open !== found.index) throw new Error('arguments of a call that is not open')
        return delta({ type: 'input_json_delta', partial_json: found.text })
      case 'finish':
        stop = { reason: stopReason(found.reason, found.stopText), sequence: found.stopText ?? null }
        return end()
      default:
        return ''
    }
  }

  return {
    open: (inputUnits = 0) => {
      const usage = { inputUnits, outputUnits: 0 }
      const message = messageJson(head, [], { reason: null, sequence: null }, usage)
      return event({ type: 'message_start', message }) + event({ type: 'ping' })
    },
    event: step,
    close: (usage) =>
      end() +
      event({
        type: 'message_delta',
        delta: {
          stop_reason: stop.reason,
          stop_sequence: stop.sequence,
          stop_details: null,
          container: null,
        },
        usage: usageJson(usage),
      }),
    terminal: () => event({ type: 'message_stop' }),
    // Anthropic's clients end at the error itself.
    fail: (error) => ({ event: '', terminal: errorEvent(error, PATH) }),
  }
}
