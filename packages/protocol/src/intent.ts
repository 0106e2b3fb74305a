/** What payment and routing must know of a request body; everything else in it is the node's business. */
export type RequestIntent = { model: string; stream: boolean; maxOutput: number }

export type IntentProblem = { message: string; param: string | null; code: string }

/**
 * Reads model, stream and the output limit of an OpenAI-style body. The gateway quotes from it and the node checks the
 * payment against the same reading, so that the two can never disagree about a price.
 * @param contextLengthOf context length of a model in units, undefined if unknown.
 */
export function readIntent(
  body: Uint8Array,
  contextLengthOf: (model: string) => number | undefined,
): { intent: RequestIntent } | { problem: IntentProblem } {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return { problem: { message: 'The body is not valid JSON.', param: null, code: 'invalid_json' } }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { problem: { message: 'The body must be a JSON object.', param: null, code: 'invalid_body' } }
  }
  const fields = parsed as Record<string, unknown>
  if (typeof fields.model !== 'string' || fields.model.length === 0 || fields.model.length > 256) {
    return { problem: { message: '`model` must be a model name.', param: 'model', code: 'invalid_model' } }
  }
  if (fields.stream !== undefined && fields.stream !== null && typeof fields.stream !== 'boolean') {
    return { problem: { message: '`stream` must be a boolean.', param: 'stream', code: 'invalid_type' } }
  }
  const contextLength = contextLengthOf(fields.model)
  if (contextLength === undefined) {
    const message = `The model \`${fields.model}\` does not exist; GET /v1/models lists those that do.`
    return { problem: { message, param: 'model', code: 'model_not_found' } }
  }
  let maxOutput = contextLength
  for (const param of ['max_completion_tokens', 'max_tokens'] as const) {
    const limit = fields[param]
    if (limit === undefined || limit === null) continue
    if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) {
      return {
        problem: { message: `\`${param}\` must be a positive integer.`, param, code: 'invalid_value' },
      }
    }
    maxOutput = Math.min(maxOutput, limit)
  }
  return { intent: { model: fields.model, stream: fields.stream === true, maxOutput } }
}
