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

/** The assistant's message of a whole answer in the OpenAI dialect. @throws SdkError `gateway_error` */
export async function readChatOutput(response: Response): Promise<ChatOutput> {
  const { choices } = (await readJsonAnswer(response)) as {
    choices?: { message?: { role?: unknown; content?: unknown; tool_calls?: ToolCall[] } }[]
  }
  const message = choices?.[0]?.message
  const calls = message?.tool_calls ?? []
  if (typeof message?.content !== 'string' && calls.length === 0) throw malformed('it holds no message')
  return {
    role: typeof message?.role === 'string' ? message.role : 'assistant',
    content: typeof message?.content === 'string' ? message.content : '',
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
}

type Delta = {
  content?: unknown
  tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[]
}

/**
 * Texts of a streamed answer as they arrive; the whole message is what the generator returns.
 * @throws SdkError `gateway_error`, or what the guarded body raises
 */
export async function* streamChatOutput(response: Response): AsyncGenerator<string, ChatOutput, undefined> {
  let content = ''
  const calls: ToolCall[] = []
  let failure: SdkError | undefined
  for await (const data of eventData(response)) {
    let event: { choices?: { index?: number; delta?: Delta }[]; error?: unknown }
    try {
      event = JSON.parse(data) as typeof event
    } catch {
      // Raised only behind the check at the stream's end: what a gateway broke is not the node's fault.
      failure ??= malformed('an event of its stream is not JSON')
      continue
    }
    failure ??= errorOf(event)
    // The first of several answers (`n`), as of a whole one: their events come mixed.
    const delta = event.choices?.find(({ index }) => (index ?? 0) === 0)?.delta
    for (const { index, id = '', function: part } of delta?.tool_calls ?? []) {
      calls[index] ??= { id, type: 'function', function: { name: part?.name ?? '', arguments: '' } }
      calls[index].function.arguments += part?.arguments ?? ''
    }
    const text = delta?.content
    if (typeof text !== 'string' || text === '') continue
    content += text
    yield text
  }
  if (failure !== undefined) throw failure
  return { role: 'assistant', content, ...(calls.length === 0 ? {} : { tool_calls: calls }) }
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
