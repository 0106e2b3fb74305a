import { AssayError } from '../errors.ts'
import { PythonFloat, type PythonJson, readPythonJson, writePythonJson } from './pythonJson.ts'

type Fields = { [name: string]: PythonJson }

/** The two calls that OpenGradient's enclaves sign for. */
export type SignedRoute = 'chat' | 'completions'

/**
 * The text whose keccak256 is the request hash: Python's `json.dumps(canonical, sort_keys=True)` over the members that
 * OpenGradient's gateway commits to. Everything else of a body (`n`, `seed`, `tool_choice`, …) is outside its hash.
 * @throws AssayError `malformed` for what its gateway would not take either
 */
export function canonicalRequest(route: SignedRoute, body: Uint8Array): string {
  const fields = readPythonJson(new TextDecoder('utf-8', { fatal: true }).decode(body))
  if (!isFields(fields)) throw malformed('The body is not an object.')
  return writePythonJson(route === 'chat' ? canonicalChat(fields) : canonicalCompletion(fields))
}

function canonicalChat(fields: Fields): Fields {
  if (!Array.isArray(fields.messages)) throw malformed('`messages` is not an array.')
  const canonical = common(fields)
  canonical.messages = fields.messages.map(canonicalMessage)
  for (const name of ['tools', 'response_format']) {
    const value = fields[name]
    if (isTruthy(value)) canonical[name] = value
  }
  if (isTruthy(fields.web_search)) canonical.web_search = true
  return canonical
}

function canonicalCompletion(fields: Fields): Fields {
  return { ...common(fields), prompt: fields.prompt ?? null }
}

function common(fields: Fields): Fields {
  const canonical: Fields = {
    model: fields.model ?? null,
    temperature: pythonFloat(fields.temperature ?? null),
  }
  const { max_tokens: maxTokens, stop } = fields
  if (maxTokens !== undefined && maxTokens !== null) canonical.max_tokens = maxTokens
  if (isTruthy(stop)) canonical.stop = stop
  return canonical
}

/** `float(temperature)`, 0.0 for none. */
function pythonFloat(value: PythonJson): PythonFloat {
  if (value === null) return new PythonFloat(0)
  if (value instanceof PythonFloat) return value
  if (typeof value === 'bigint') return new PythonFloat(Number(value))
  throw malformed('`temperature` is not a number.')
}

function canonicalMessage(message: PythonJson): Fields {
  if (!isFields(message)) throw malformed('A message is not an object.')
  const { role } = message
  const content = message.content ?? null
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', content }
    case 'user':
      return { role, content: userContent(content) }
    case 'assistant': {
      const said: Fields = { role, content: isTruthy(content) ? content : '' }
      const calls = message.tool_calls
      if (Array.isArray(calls) && calls.length > 0) said.tool_calls = calls.map(canonicalCall)
      return said
    }
    case 'tool':
      return { role, content, tool_call_id: message.tool_call_id ?? null }
    case 'function':
      return { role, content, name: message.name ?? null }
    default:
      throw malformed('A message has no role that is known.')
  }
}

/** Texts as they are; of an attachment only its type and file name, since its bytes are outside the hash. */
function userContent(content: PythonJson): PythonJson {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw malformed('The content of a message is neither text nor parts.')
  return content.map((part): Fields => {
    if (!isFields(part)) throw malformed('A part of a message is not an object.')
    if (part.type === 'text') return { type: 'text', text: isTruthy(part.text) ? part.text : '' }
    const file = isFields(part.file) ? part.file.filename : undefined
    const filename = isTruthy(file) ? file : part.filename
    return { type: part.type ?? null, ...(isTruthy(filename) ? { filename } : {}) }
  })
}

function canonicalCall(call: PythonJson): Fields {
  if (!isFields(call)) throw malformed('A tool call is not an object.')
  const target = isFields(call.function) ? call.function : {}
  return {
    id: call.id ?? '',
    type: call.type ?? 'function',
    function: { name: target.name ?? '', arguments: target.arguments ?? '' },
  }
}

function isFields(value: PythonJson | undefined): value is Fields {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof PythonFloat)
  )
}

/** Python's truth of a value: nothing, zero and whatever is empty are false. */
function isTruthy(value: PythonJson | undefined): value is PythonJson {
  if (value === undefined || value === null || value === false || value === '' || value === 0n) return false
  if (value instanceof PythonFloat) return value.value !== 0
  if (Array.isArray(value)) return value.length > 0
  return typeof value !== 'object' || Object.keys(value).length > 0
}

function malformed(message: string): AssayError {
  return new AssayError(message, { code: 'malformed' })
}
