import type { VerifiedAnswer } from './answer.ts'
import { begin, type Caller, type CallParameters, callWhole, type Proof, proofOf } from './call.ts'
import { type ChatOutput, readChatOutput, streamChatOutput } from './chatOutput.ts'
import { bodyIn } from './parameters.ts'
import { withResolvers } from './withResolvers.ts'

/** A message of a conversation; further members, such as `tool_calls` and `tool_call_id`, pass as they are. */
export type ChatMessage = { role: string; content: string; [member: string]: unknown }

export type ChatParameters = CallParameters & {
  model: string
  messages: readonly ChatMessage[]
  /** Tokens. */
  max_tokens?: number | undefined
  temperature?: number | undefined
  top_p?: number | undefined
  seed?: number | undefined
  /** Texts that end the answer. */
  stop?: string | readonly string[] | undefined
  /** Functions that the model may call, as in OpenAI's API. */
  tools?: readonly unknown[] | undefined
  tool_choice?: unknown
  response_format?: unknown
  /** Ask for a stream; `onText` gets the text as it arrives. */
  stream?: boolean | undefined
  /** Text as it arrives. It is verified only when `chat` resolves, unless `buffer` was given to `createAssay`. */
  onText?: ((text: string) => void) | undefined
}

export type ChatResult = Proof & {
  /** The assistant's message. */
  chatOutput: ChatOutput
}

/**
 * A streamed answer: texts as they arrive, and the result behind them. Leaving it early stops the model, fetches what it
 * had said till then, and verifies that; `result` resolves all the same, with the text that was seen.
 */
export type ChatStream = AsyncIterable<string> & {
  /** The answer as soon as its end was checked, or that of a stream that was left; rejects as `result` does. */
  verified: Promise<VerifiedAnswer>
  /**
   * Waits behind the answer from when it is first looked at, as `wait` says. Rejects with SdkError `cancelled` where a
   * stream that was left could not be verified to its end.
   */
  readonly result: Promise<ChatResult>
}

const PATH = '/v1/chat/completions'

/** @throws SdkError */
export async function chat(caller: Caller, parameters: ChatParameters): Promise<ChatResult> {
  if (parameters.stream !== true) {
    const { output, proof } = await callWhole(caller, PATH, bodyOf(parameters), parameters, readChatOutput)
    return { chatOutput: output, ...proof }
  }
  const begun = await begin(caller, PATH, bodyOf(parameters), parameters)
  const texts = streamChatOutput(begun.response)
  try {
    for (;;) {
      const next = await texts.next()
      if (next.done === true) return { chatOutput: next.value, ...(await proofOf(begun, next.value)) }
      parameters.onText?.(next.value)
    }
  } finally {
    // Left by an error of `onText`: as any stream that is left, it stops the model, and is verified as far as it went.
    await texts.return({ role: 'assistant', content: '' })
  }
}

/** Asks for a stream, to be read once. @throws SdkError */
export async function chatStream(
  caller: Caller,
  parameters: Omit<ChatParameters, 'stream'>,
): Promise<ChatStream> {
  const begun = await begin(caller, PATH, bodyOf({ ...parameters, stream: true }), parameters)
  const message = withResolvers<ChatOutput>()
  let content = ''
  // Left early: what was seen is the answer, and its proof is on its way.
  const leave = () => message.resolve({ role: 'assistant', content })
  const { signal } = parameters
  // By its signal it may be left before anybody reads it.
  signal?.addEventListener('abort', leave, { once: true })
  async function* texts(): AsyncGenerator<string, void, undefined> {
    const source = streamChatOutput(begun.response)
    try {
      for (;;) {
        const next = await source.next()
        if (next.done === true) return message.resolve(next.value)
        content += next.value
        parameters.onText?.(next.value)
        yield next.value
      }
    } catch (error) {
      // Leaving by the signal is leaving: the loop ends as its caller said, and the result is still on its way.
      if (signal?.aborted !== true || error !== signal.reason) message.reject(error)
      throw error
    } finally {
      signal?.removeEventListener('abort', leave)
      leave()
      await source.return({ role: 'assistant', content })
    }
  }
  message.promise.catch(() => undefined)
  let result: Promise<ChatResult> | undefined
  async function settle(): Promise<ChatResult> {
    const chatOutput = await message.promise
    return { chatOutput, ...(await proofOf(begun, chatOutput)) }
  }
  const stream: AsyncIterable<string> = texts()
  return Object.defineProperties(stream, {
    verified: { value: begun.verified },
    result: {
      get() {
        result ??= settle()
        // As of any promise that is a property: who only looks at it need not handle it.
        result.catch(() => undefined)
        return result
      },
    },
  }) as ChatStream
}

const MEMBERS = [
  ...(['model', 'messages', 'max_tokens', 'temperature', 'top_p', 'seed', 'stop'] as const),
  ...(['tools', 'tool_choice', 'response_format', 'stream'] as const),
] as const

/** The request's body, without what is the call's own. @throws SdkError `bad_input` */
function bodyOf(parameters: ChatParameters): Record<string, unknown> {
  return bodyIn(parameters, MEMBERS, ['onText'])
}
