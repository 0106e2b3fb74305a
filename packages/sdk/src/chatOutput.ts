import type { ChatMessage } from './createAssay.ts'
import { SdkError } from './errors.ts'

function malformed(what: string): SdkError {
  return new SdkError(`The answer is signed, but ${what}.`, { code: 'gateway_error' })
}

function errorOf(event: { error?: unknown }): SdkError | undefined {
  if (event.error === undefined || event.error === null) return undefined
  const message = (event.error as { message?: unknown }).message
  return new SdkError(typeof message === 'string' ? message.slice(0, 500) : 'The node failed to answer.', {
    code: 'gateway_error',
  })
}

/** The assistant's message of a whole answer in the OpenAI dialect. @throws SdkError `gateway_error` */
export async function readChatOutput(response: Response): Promise<ChatMessage> {
  let body: { choices?: { message?: { role?: unknown; content?: unknown } }[]; error?: unknown }
  try {
    body = (await response.json()) as typeof body
  } catch {
    throw malformed('it is not JSON')
  }
  const failure = errorOf(body)
  if (failure !== undefined) throw failure
  const message = body.choices?.[0]?.message
  if (typeof message?.content !== 'string') throw malformed('it holds no message')
  return { role: typeof message.role === 'string' ? message.role : 'assistant', content: message.content }
}

/** Collects the deltas of a streamed answer. @throws SdkError `gateway_error`, or what the guarded body raises */
export async function streamChatOutput(
  response: Response,
  onText: ((text: string) => void) | undefined,
): Promise<ChatMessage> {
  let content = ''
  let failure: SdkError | undefined
  let rest = ''
  const decoder = new TextDecoder()
  if (response.body === null) throw malformed('it is empty')
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: ') || line === 'data: [DONE]') continue
      let event: { choices?: { delta?: { content?: unknown } }[]; error?: unknown }
      try {
        event = JSON.parse(line.slice(6)) as typeof event
      } catch {
        // Raised only behind the check at the stream's end: what a gateway broke is not the node's fault.
        failure ??= malformed('an event of its stream is not JSON')
        continue
      }
      failure ??= errorOf(event)
      const text = event.choices?.[0]?.delta?.content
      if (typeof text !== 'string' || text === '') continue
      content += text
      onText?.(text)
    }
  }
  if (failure !== undefined) throw failure
  return { role: 'assistant', content }
}
