import { SdkError } from './errors.ts'

export type ToolCall = { id: string; type: 'function'; function: { name: string; arguments: string } }

/** The assistant's message. Its content is empty where it only calls tools. */
export type ChatOutput = { role: string; content: string; tool_calls?: ToolCall[] }

/** A signed answer that is not of the form its dialect has. */
export function malformed(what: string): SdkError {
  return new SdkError(`The answer is signed, but ${what}.`, { code: 'gateway_error' })
}

function errorOf(event: { error?: unknown }): SdkError | undefined {
  if (event.error === undefined || event.error === null) return undefined
  const message = (event.error as { message?: unknown }).message
  return new SdkError(typeof message === 'string' ? message.slice(0, 500) : 'The node failed to answer.', {
    code: 'gateway_error',
  })
}

/** A whole answer as JSON. @throws SdkError `gateway_error` */
export async function readJsonAnswer(response: Response): Promise<Record<string, unknown>> {
  let body: unknown
  try {
    body = await response.json()
  } catch {
    throw malformed('it is not JSON')
  }
  if (typeof body !== 'object' || body === null) throw malformed('it is not an object')
  const failure = errorOf(body)
  if (failure !== undefined) throw failure
  return body as Record<string, unknown>
}

type Json = Record<string, unknown>

/* Who signed an answer answers for its bytes; that they are of its dialect is for their reader to see. */

const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
const listOf = (value: unknown): Json[] => (Array.isArray(value) ? value.map(objectOf) : [])
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The assistant's message of a whole answer in the OpenAI dialect. @throws SdkError `gateway_error` */
export async function readChatOutput(response: Response): Promise<ChatOutput> {
  const [choice] = listOf((await readJsonAnswer(response)).choices)
  const { role, content, tool_calls: called } = objectOf(choice?.message)
  const calls = listOf(called).map((call): ToolCall => {
    const { name, arguments: args } = objectOf(call.function)
    if (typeof name !== 'string' || typeof args !== 'string') throw malformed('it calls no function')
    return { ...call, id: textOf(call.id), type: 'function', function: { name, arguments: args } }
  })
  if (typeof content !== 'string' && calls.length === 0) throw malformed('it holds no message')
  return {
    role: typeof role === 'string' ? role : 'assistant',
    content: textOf(content),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
}

/** Most calls of one answer. */
const MAX_CALLS = 1024

/** The calls of a streamed answer, in the order in which they began. */
class Calls {
  readonly #calls = new Map<unknown, ToolCall>()

  /** @returns false where there are too many */
  add(delta: Json): boolean {
    const { index, ...said } = delta
    const { name, arguments: args } = objectOf(said.function)
    const call = this.#calls.get(index)
    if (call === undefined && this.#calls.size === MAX_CALLS) return false
    if (call !== undefined) call.function.arguments += textOf(args)
    else
      this.#calls.set(index, {
        // As of a whole answer: what a provider says beside a call, such as Google's signature, it wants back.
        ...said,
        id: textOf(said.id),
        type: 'function',
        function: { name: textOf(name), arguments: textOf(args) },
      })
    return true
  }

  all(): ToolCall[] {
    return [...this.#calls.values()]
  }
}

/**
 * Texts of a streamed answer as they arrive; the whole message is what the generator returns.
 * @throws SdkError `gateway_error`, or what the guarded body raises
 */
export async function* streamChatOutput(response: Response): AsyncGenerator<string, ChatOutput, undefined> {
  let content = ''
  const calls = new Calls()
  let failure: SdkError | undefined
  for await (const data of eventData(response)) {
    let event: Json
    try {
      event = objectOf(JSON.parse(data))
    } catch {
      // Raised only behind the check at the stream's end: what a gateway broke is not the node's fault.
      failure ??= malformed('an event of its stream is not JSON')
      continue
    }
    failure ??= errorOf(event)
    // The first of several answers (`n`), as of a whole one: their events come mixed.
    const { delta } = listOf(event.choices).find(({ index }) => (index ?? 0) === 0) ?? {}
    const { content: text, tool_calls: called } = objectOf(delta)
    for (const call of listOf(called)) {
      if (!calls.add(call)) failure ??= malformed(`it makes more than ${MAX_CALLS} calls`)
    }
    if (typeof text !== 'string' || text === '') continue
    content += text
    yield text
  }
  if (failure !== undefined) throw failure
  const made = calls.all()
  return { role: 'assistant', content, ...(made.length === 0 ? {} : { tool_calls: made }) }
}

/** The data of each event but the terminal one. */
async function* eventData(response: Response): AsyncGenerator<string, void, undefined> {
  if (response.body === null) throw malformed('it is empty')
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith('data: ') && line !== 'data: [DONE]') yield line.slice(6)
    }
  }
}
