import type { AnswerEvent, Usage } from '../../engines/engine.ts'
import { type Answer, type Block, collectAnswer } from '../answer.ts'
import type { AnswerHead, AnswerWriter, StreamWriter } from '../dialect.ts'
import type { Fields } from '../fields.ts'

/** Of an answer that is not complete: what cut it off. */
type Cut = 'max_output_tokens' | 'content_filter'
type Status = 'in_progress' | 'completed' | 'failed' | Cut
type ItemStatus = 'in_progress' | 'completed' | 'incomplete'

function usageJson({ inputUnits, outputUnits }: Usage): Fields {
  return {
    input_tokens: inputUnits,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: outputUnits,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputUnits + outputUnits,
  }
}

/** Answers of responses. @param given members of the request, which the answer repeats. */
export function responsesWriter(head: AnswerHead, given: Fields): AnswerWriter {
  const responseJson = (
    status: Status,
    output: unknown[],
    usage: Usage | null,
    error: unknown = null,
  ): Fields => ({
    id: head.id,
    object: 'response',
    created_at: head.created,
    status: isCut(status) ? 'incomplete' : status,
    background: false,
    error,
    incomplete_details: isCut(status) ? { reason: status } : null,
    instructions: given.instructions ?? null,
    max_output_tokens: given.max_output_tokens ?? null,
    model: head.model,
    output,
    parallel_tool_calls: given.parallel_tool_calls,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    store: false,
    temperature: given.temperature ?? null,
    text: given.text ?? { format: { type: 'text' } },
    tool_choice: given.tool_choice ?? 'auto',
    tools: given.tools ?? [],
    top_logprobs: 0,
    top_p: given.top_p ?? null,
    truncation: 'disabled',
    usage: usage === null ? null : usageJson(usage),
    user: given.user ?? null,
    metadata: given.metadata,
  })
  return {
    whole(answer, usage) {
      const status = statusOf(answer)
      const blocks = blocksOf(answer).filter(isItem)
      const output = blocks.map((block, index) =>
        itemJson(
          block,
          itemId(head, block, index),
          index === blocks.length - 1 ? endOf(status) : 'completed',
        ),
      )
      return new TextEncoder().encode(JSON.stringify(responseJson(status, output, usage)))
    },
    stream: () => responsesStream(head, responseJson),
  }
}

function blocksOf({ choices }: Answer): Block[] {
  return choices[0]?.blocks ?? []
}

function statusOf({ choices }: Answer): Status {
  const finish = choices[0]?.finish
  if (finish === 'length') return 'max_output_tokens'
  return finish === 'content_filter' ? finish : 'completed'
}

function isCut(status: Status): status is Cut {
  return status === 'max_output_tokens' || status === 'content_filter'
}

/** How the last item of an answer ended: what was cut off in it is not whole, arguments of a call above all. */
function endOf(status: Status): ItemStatus {
  return isCut(status) ? 'incomplete' : 'completed'
}

type ItemBlock = Extract<Block, { type: 'text' | 'tool' }>

/** Thinking has no place in the subset, since its signatures could not come back. */
function isItem(block: Block): block is ItemBlock {
  return block.type === 'tool' || (block.type === 'text' && block.text !== '')
}

/** Items are numbered under their answer's own id, which no other answer has. */
function itemId(head: AnswerHead, block: Block, index: number): string {
  return `${block.type === 'tool' ? 'fc' : 'msg'}_${head.id.replace(/^resp_/, '')}${index.toString(16).padStart(4, '0')}`
}

function itemJson(block: ItemBlock, id: string, status: ItemStatus): Fields {
  if (block.type === 'text') {
    const content = status === 'in_progress' ? [] : [partJson(block.text)]
    return { id, type: 'message', status, role: 'assistant', content }
  }
  const { id: callId, name, arguments: args } = block
  return { id, type: 'function_call', status, call_id: callId, name, arguments: args }
}

function partJson(text: string): Fields {
  return { type: 'output_text', text, annotations: [], logprobs: [] }
}

/** Items one after another, each with its begin, its deltas and its end; then the whole response once more. */
function responsesStream(
  head: AnswerHead,
  responseJson: (status: Status, output: unknown[], usage: Usage | null, error?: unknown) => Fields,
): StreamWriter {
  const collected = collectAnswer()
  const output: Fields[] = []
  let sequence = 0
  let usage: Usage = { inputUnits: 0, outputUnits: 0 }
  /** The item being written: its block lives in the collector. */
  let open: { id: string; block: ItemBlock } | undefined

  const event = (type: string, data: Fields): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...data })}\n\n`
  const at = (): Fields => ({ item_id: open?.id, output_index: output.length })

  function begin(block: ItemBlock): string {
    open = { id: itemId(head, block, output.length), block }
    const empty: ItemBlock = block.type === 'tool' ? { ...block, arguments: '' } : { ...block, text: '' }
    const item = itemJson(empty, open.id, 'in_progress')
    const added = event('response.output_item.added', { output_index: output.length, item })
    if (block.type !== 'text') return added
    return added + event('response.content_part.added', { ...at(), content_index: 0, part: partJson('') })
  }

  function end(status: ItemStatus = 'completed'): string {
    if (open === undefined) return ''
    const { block, id } = open
    const item = itemJson(block, id, status)
    const done =
      block.type === 'text'
        ? event('response.output_text.done', { ...at(), content_index: 0, text: block.text, logprobs: [] }) +
          event('response.content_part.done', { ...at(), content_index: 0, part: partJson(block.text) })
        : event('response.function_call_arguments.done', {
            ...at(),
            name: block.name,
            arguments: block.arguments,
          })
    const whole = done + event('response.output_item.done', { output_index: output.length, item })
    output.push(item)
    open = undefined
    return whole
  }

  function step(found: AnswerEvent): string {
    collected.add(found)
    const last = blocksOf(collected.answer).at(-1)
    switch (found.type) {
      case 'text': {
        if (found.text === '' || last?.type !== 'text') return ''
        const begun = open?.block === last ? '' : end() + begin(last)
        return (
          begun +
          event('response.output_text.delta', { ...at(), content_index: 0, delta: found.text, logprobs: [] })
        )
      }
      case 'tool':
        return last?.type === 'tool' ? end() + begin(last) : ''
      case 'arguments':
        if (open?.block !== last) throw new Error('arguments of a call that is not open')
        return event('response.function_call_arguments.delta', { ...at(), delta: found.text })
      case 'finish':
        return end(endOf(statusOf(collected.answer)))
      default:
        return ''
    }
  }

  return {
    open() {
      const response = responseJson('in_progress', [], null)
      return event('response.created', { response }) + event('response.in_progress', { response })
    },
    event: step,
    close(counted) {
      usage = counted
      return end()
    },
    terminal() {
      const status = statusOf(collected.answer)
      return event(isCut(status) ? 'response.incomplete' : `response.${status}`, {
        response: responseJson(status, output, usage),
      })
    },
    fail(error) {
      const { code, message } = error
      const response = responseJson('failed', output, null, { code, message })
      return { event: '', terminal: event('response.failed', { response }) }
    },
  }
}
