type Json = Record<string, unknown>

/**
 * Length of all that a model wrote in a whole answer, or one event of a stream, of either dialect, bytes: words,
 * thoughts, refusals, names and arguments of calls, of every choice. Not what the server put around it: roles, reasons,
 * ids, types, signatures.
 */
export function generatedBytes(answer: unknown): number {
  const { choices, content, delta } = objectOf(answer)
  const { text, thinking, partial_json: piece } = objectOf(delta)
  const blocks = listOf(content).map((block) => lengthOf(block.text, block.thinking) + callLength(block))
  return lengthOf(text, thinking, piece) + sum(blocks) + sum(listOf(choices).map(choiceLength))
}

function choiceLength(choice: Json): number {
  const message = objectOf(choice.message ?? choice.delta)
  const parts = listOf(message.content).map(({ text, refusal, thinking }) =>
    // Mistral's thoughts are parts of their own inside a part.
    lengthOf(text, refusal, thinking, ...listOf(thinking).map((thought) => thought.text)),
  )
  // Servers in the middle of a change of its name give the same thought under both.
  const thought = Math.max(lengthOf(message.reasoning), lengthOf(message.reasoning_content))
  const calls = [...listOf(message.tool_calls).map((call) => call.function), message.function_call]
  return (
    lengthOf(choice.text, message.content, message.refusal) +
    thought +
    sum(parts) +
    sum(calls.map((call) => callLength(objectOf(call))))
  )
}

/** A call's name and arguments: JSON text in OpenAI's dialect, JSON in Anthropic's. */
function callLength({ name, arguments: args, input }: Json): number {
  return lengthOf(name, ...[args, input].map((value) => (isObject(value) ? JSON.stringify(value) : value)))
}

/** Bytes of the texts among these values. */
function lengthOf(...values: unknown[]): number {
  return sum(values.map((value) => (typeof value === 'string' ? Buffer.byteLength(value) : 0)))
}

function sum(lengths: readonly number[]): number {
  return lengths.reduce((total, length) => total + length, 0)
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null
}

function objectOf(value: unknown): Json {
  return isObject(value) ? value : {}
}

/** The objects of a list, where it is one. */
function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}
