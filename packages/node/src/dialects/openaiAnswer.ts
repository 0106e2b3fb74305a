/** Writes answers in OpenAI's chat/completions shape, whole and as server-sent events. Bytes only; no I/O. */
export type AnswerHead = { id: string; created: number; model: string }
export type Usage = { inputUnits: number; outputUnits: number }
export type FinishReason = 'stop' | 'length'

const encoder = new TextEncoder()

function usageJson(usage: Usage): Record<string, number> {
  return {
    prompt_tokens: usage.inputUnits,
    completion_tokens: usage.outputUnits,
    total_tokens: usage.inputUnits + usage.outputUnits,
  }
}

export function wholeAnswer(head: AnswerHead, text: string, finish: FinishReason, usage: Usage): Uint8Array {
  return encoder.encode(
    JSON.stringify({
      id: head.id,
      object: 'chat.completion',
      created: head.created,
      model: head.model,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: text, refusal: null },
          logprobs: null,
          finish_reason: finish,
        },
      ],
      usage: usageJson(usage),
    }),
  )
}

/** Events of a stream, in the order they are called: role, text…, finish, usage (if asked for), done. */
export function streamAnswer(head: AnswerHead, includeUsage: boolean) {
  const event = (choices: unknown[], usage?: Usage): Uint8Array =>
    encoder.encode(
      `data: ${JSON.stringify({
        id: head.id,
        object: 'chat.completion.chunk',
        created: head.created,
        model: head.model,
        choices,
        // With include_usage every chunk has the member, null but in the last (OpenAI's reference).
        ...(includeUsage ? { usage: usage === undefined ? null : usageJson(usage) } : {}),
      })}\n\n`,
    )
  const choice = (delta: Record<string, string>, finish: FinishReason | null) => [
    { index: 0, delta, logprobs: null, finish_reason: finish },
  ]
  return {
    role: () => event(choice({ role: 'assistant', content: '' }, null)),
    text: (text: string) => event(choice({ content: text }, null)),
    finish: (reason: FinishReason) => event(choice({}, reason)),
    usage: (usage: Usage) => event([], usage),
  }
}

export const STREAM_DONE: Uint8Array = encoder.encode('data: [DONE]\n\n')

/** An error inside a stream that has begun; clients raise it. */
export function streamError(message: string, code: string): Uint8Array {
  const error = { message, type: 'server_error', code, param: null }
  return encoder.encode(`data: ${JSON.stringify({ error })}\n\n`)
}
