import { randomBytes } from 'node:crypto'
import type { AnswerEvent, ChatWork, TokenLogprob, ToolCall } from '../engine.ts'
import { literal } from './grammarParts.ts'
import { createJsonGrammar, type JsonGrammar } from './jsonGrammar.ts'

/**
 * How a model without tools of its own calls functions: it reads their schemas in the system message and writes
 * `<tool_call>[{"name":…,"arguments":…}]</tool_call>`, the form SmolLM2 and its kin were tuned on. A grammar holds it to
 * the form, so that what follows the opening always parses.
 */
export const OPENING = '<tool_call>['
const CLOSING = ']</tool_call>'
/** Most calls of one answer. */
const MAX_CALLS = 8

/** What the system message says about the functions. */
export function toolInstructions(work: ChatWork): string {
  if (work.tools.length === 0 || work.toolChoice === 'none') return ''
  const schemas = work.tools.map(({ name, description, parameters }) =>
    JSON.stringify({ name, ...(description === undefined ? {} : { description }), parameters }),
  )
  const most = work.parallelTools ? 'one or more functions' : 'one function'
  return [
    'You can call functions. These are their schemas:',
    `<tools>[${schemas.join(', ')}]</tools>`,
    `To call ${most}, answer with nothing but: <tool_call>[{"name": "function name", "arguments": {"argument": "value"}}]</tool_call>`,
  ].join('\n')
}

/** An earlier answer as the model itself wrote it. */
export function assistantText(content: string, calls: readonly ToolCall[]): string {
  if (calls.length === 0) return content
  const written = calls.map(
    (call) => `{"name": ${JSON.stringify(call.name)}, "arguments": ${call.arguments}}`,
  )
  return `${content}${OPENING}${written.join(', ')}${CLOSING}`
}

/** The result of a call, told to a model that knows no role for it. */
export function toolResponseText(content: string): string {
  return `<tool_response>\n${content}\n</tool_response>`
}

/** The grammar that an answer must follow; undefined for free text. @throws SchemaRefused */
export function answerGrammar(work: ChatWork): string | undefined {
  const grammar = createJsonGrammar()
  const text = textRule(grammar, work)
  const { toolChoice } = work
  if (work.tools.length === 0 || toolChoice === 'none')
    return text === undefined ? undefined : grammar.text(text)
  const tools =
    typeof toolChoice === 'string' ? work.tools : work.tools.filter(({ name }) => name === toolChoice.name)
  const call = grammar.oneOf(
    tools.map((tool) => ({
      text: `{"name": ${JSON.stringify(tool.name)}, "arguments": `,
      tail: grammar.schema(tool.parameters, tool.place, tool.strict),
    })),
    'tools',
  ).ref
  const more = work.parallelTools ? ` ("}," sp ${call}){0,${MAX_CALLS - 1}}` : ''
  const calls = grammar.rule('calls', `${literal(OPENING)} ${call}${more} ${literal(`}${CLOSING}`)}`)
  if (toolChoice !== 'auto') return grammar.text(calls)
  // An answer in words: anything that does not begin like a call.
  return grammar.text(`${calls} | ${text ?? '([^<\\x00] [^\\x00]*)?'}`)
}

function textRule(grammar: JsonGrammar, { format }: ChatWork): string | undefined {
  if (format.type === 'text') return undefined
  if (format.type === 'json_object') return grammar.object.ref
  return grammar.schema(format.schema, format.place, format.strict).ref
}

/** Names as OpenAI draws them; clients only compare them. */
function newCallId(): string {
  return `call_${randomBytes(12).toString('hex')}`
}

/**
 * Reads an answer as it is written and turns it into steps. It follows `answerGrammar`'s form to the letter; an answer
 * cut off by its limit leaves the last call's arguments as they are. One cut off in the opening itself has said nothing:
 * no words begin so.
 */
export function createToolCallReader(choice: number): {
  /** @param logprobs of the text; they go out with an answer in words, and calls have none */
  push: (text: string, logprobs?: readonly TokenLogprob[]) => AnswerEvent[]
  /** Calls begun so far. */
  calls: () => number
} {
  const NAME = /^(?:, ?)?\{"name": ("(?:[^"\\]|\\.)*"), "arguments": /
  let state: 'start' | 'text' | 'between' | 'arguments' = 'start'
  let held = ''
  let heldLogprobs: TokenLogprob[] | undefined
  let index = -1
  let depth = 0
  let inString = false
  let escaped = false

  /** Length of the arguments in `text`: up to the brace that closes them, or all of it. */
  function argumentsEnd(text: string): { length: number; closed: boolean } {
    for (let at = 0; at < text.length; at++) {
      const character = text[at]
      if (escaped) escaped = false
      else if (inString && character === '\\') escaped = true
      else if (character === '"') inString = !inString
      else if (inString) continue
      else if (character === '{' || character === '[') depth++
      else if (character === '}' || character === ']') {
        // The brace of the call itself: what a bare number or text among arguments cannot close.
        if (depth === 0) return { length: at, closed: true }
        depth--
      }
    }
    return { length: text.length, closed: false }
  }

  function take(): AnswerEvent[] {
    const events: AnswerEvent[] = []
    for (;;) {
      if (state === 'start') {
        if (held.length < OPENING.length && OPENING.startsWith(held)) return events
        state = held.startsWith(OPENING) ? 'between' : 'text'
        if (state === 'between') held = held.slice(OPENING.length)
      }
      if (state === 'text') {
        if (held !== '') events.push({ type: 'text', choice, text: held, logprobs: heldLogprobs })
        held = ''
        heldLogprobs = undefined
        return events
      }
      if (state === 'between') {
        const begun = NAME.exec(held)
        if (begun === null) return events
        held = held.slice(begun[0].length)
        index++
        const name = JSON.parse(begun[1] as string) as string
        events.push({ type: 'tool', choice, index, id: newCallId(), name })
        state = 'arguments'
      }
      const { length, closed } = argumentsEnd(held)
      if (length > 0) events.push({ type: 'arguments', choice, index, text: held.slice(0, length) })
      held = held.slice(closed ? length + 1 : length)
      if (!closed) return events
      state = 'between'
    }
  }

  return {
    push(text, logprobs) {
      held += text
      const mayBeWords = state === 'start' || state === 'text'
      if (logprobs !== undefined && mayBeWords) heldLogprobs = [...(heldLogprobs ?? []), ...logprobs]
      return take()
    },
    calls: () => index + 1,
  }
}
