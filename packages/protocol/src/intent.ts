/** A way of asking: one dialect's one path. All are paid for but `count_tokens`, which answers nothing. */
export type InferenceRoute =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'infer'
  | 'responses'
  | 'messages'
  | 'count_tokens'

/** Paths that are paid for and answered with a receipt, and how their bodies are read. */
export const INFERENCE_PATHS: Readonly<Record<string, InferenceRoute>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'completions',
  '/v1/embeddings': 'embeddings',
  '/v1/infer': 'infer',
  '/v1/responses': 'responses',
  '/v1/messages': 'messages',
}

/** What payment and routing must know of a request body; everything else in it is the node's business. */
export type RequestIntent = {
  model: string
  stream: boolean
  /** Answers asked for: choices, prompts times choices, or inputs to embed. */
  answers: number
  /** Most output units of one answer; an embedding is one unit. */
  maxOutputEach: number
  /** Most output units of all answers together: what the quote is made from. */
  maxOutput: number
}

export type IntentProblem = { message: string; param: string | null; code: string }

/** Most choices, and most prompts or inputs, of one request. */
const MAX_CHOICES = 8
const MAX_INPUTS = 256
/** Longest name of a model, characters. */
export const MAX_MODEL_NAME = 256
/**
 * Deepest nesting of a body. V8 reads any depth, and runs out of stack at some thousands when it is to write it again:
 * then an answer that repeats its request could not be written once it was made.
 */
const MAX_DEPTH = 128
/** What OpenAI's completions generate where the request gives no limit. */
const COMPLETIONS_DEFAULT_OUTPUT = 16

/** Members that limit the output of one answer, per route. */
const LIMITS: Record<InferenceRoute, readonly string[]> = {
  chat: ['max_completion_tokens', 'max_tokens'],
  completions: ['max_tokens'],
  embeddings: [],
  infer: [],
  responses: ['max_output_tokens'],
  messages: ['max_tokens'],
  count_tokens: [],
}

/**
 * The members that hold an upstream to what was quoted: every limit that the body states, at the smallest of them,
 * and the default of completions where it states none. Servers differ in which limit they go by, and in that default.
 */
export function quotedLimits(
  route: InferenceRoute,
  fields: Readonly<Record<string, unknown>>,
  { maxOutputEach }: RequestIntent,
): Record<string, number> {
  const stated = LIMITS[route].filter((param) => fields[param] !== undefined && fields[param] !== null)
  const names = stated.length === 0 && route === 'completions' ? LIMITS[route] : stated
  return Object.fromEntries(names.map((param) => [param, maxOutputEach]))
}

class Problem extends Error {
  readonly problem: IntentProblem
  constructor(message: string, param: string | null, code: string) {
    super(message)
    this.problem = { message, param, code }
  }
}

/**
 * Reads model, stream and what bounds the output of a body (docs/spec.md §10). The gateway quotes from it and the node
 * checks the payment against the same reading, so that the two can never disagree about a price.
 * @param contextLengthOf context length of a model in units, undefined if unknown.
 */
export function readIntent(
  route: InferenceRoute,
  body: Uint8Array,
  contextLengthOf: (model: string) => number | undefined,
): { intent: RequestIntent } | { problem: IntentProblem } {
  try {
    const fields = jsonObject(body)
    const { model } = fields
    if (typeof model !== 'string' || model.length === 0 || model.length > MAX_MODEL_NAME) {
      throw new Problem('`model` must be a model name.', 'model', 'invalid_model')
    }
    const stream = fields.stream ?? false
    if (typeof stream !== 'boolean') {
      throw new Problem('`stream` must be a boolean.', 'stream', 'invalid_type')
    }
    const contextLength = contextLengthOf(model)
    if (contextLength === undefined) {
      const message = `The model \`${model}\` does not exist; GET /v1/models lists those that do.`
      throw new Problem(message, 'model', 'model_not_found')
    }
    const answers = answersOf(route, fields)
    const maxOutputEach = outputLimit(route, fields, contextLength)
    return { intent: { model, stream, answers, maxOutputEach, maxOutput: answers * maxOutputEach } }
  } catch (error) {
    if (error instanceof Problem) return { problem: error.problem }
    throw error
  }
}

function jsonObject(body: Uint8Array): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new Problem('The body is not valid JSON.', null, 'invalid_json')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new Problem('The body must be a JSON object.', null, 'invalid_body')
  }
  if (isDeeperThan(MAX_DEPTH, body)) {
    throw new Problem(`The body is nested deeper than ${MAX_DEPTH} levels.`, null, 'invalid_body')
  }
  return parsed as Record<string, unknown>
}

/** Whether some place of a valid JSON text stands in more brackets than that. */
function isDeeperThan(most: number, json: Uint8Array): boolean {
  let depth = 0
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (byte === QUOTE) at = endOfString(json, at)
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > most) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Where the string that begins at `start` has its closing quote: one before which backslashes come in pairs. */
function endOfString(json: Uint8Array, start: number): number {
  for (let end = json.indexOf(QUOTE, start + 1); ; end = json.indexOf(QUOTE, end + 1)) {
    let backslashes = 0
    while (json[end - 1 - backslashes] === BACKSLASH) backslashes++
    if (end === -1 || backslashes % 2 === 0) return end === -1 ? json.length : end
  }
}

function outputLimit(route: InferenceRoute, fields: Record<string, unknown>, contextLength: number): number {
  if (route === 'embeddings') return 1
  const limits: number[] = []
  for (const param of LIMITS[route]) {
    const limit = fields[param]
    if (limit === undefined || limit === null) continue
    if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) {
      throw new Problem(`\`${param}\` must be a positive integer.`, param, 'invalid_value')
    }
    limits.push(limit)
  }
  if (limits.length === 0 && route === 'messages') {
    throw new Problem('`max_tokens` is required.', 'max_tokens', 'missing_parameter')
  }
  if (limits.length === 0 && route === 'completions') limits.push(COMPLETIONS_DEFAULT_OUTPUT)
  return Math.min(contextLength, ...limits)
}

function answersOf(route: InferenceRoute, fields: Record<string, unknown>): number {
  if (route === 'embeddings') return countOf(fields.input, 'input')
  if (route === 'completions') return countOf(fields.prompt, 'prompt') * choicesOf(fields.n)
  return route === 'chat' ? choicesOf(fields.n) : 1
}

function choicesOf(n: unknown): number {
  if (n === undefined || n === null) return 1
  if (typeof n !== 'number' || !Number.isInteger(n) || n < 1 || n > MAX_CHOICES) {
    throw new Problem(`\`n\` must be an integer from 1 to ${MAX_CHOICES}.`, 'n', 'invalid_value')
  }
  return n
}

/** One text is one; a list of texts is as many as it has. A list of token numbers is one text. */
function countOf(value: unknown, param: string): number {
  if (!Array.isArray(value) || typeof value[0] === 'number') return 1
  if (value.length < 1 || value.length > MAX_INPUTS) {
    throw new Problem(`\`${param}\` must have 1 to ${MAX_INPUTS} entries.`, param, 'invalid_value')
  }
  return value.length
}
