import { AssayError } from './errors.ts'

/** Most numbers of one tensor, and most lists in each other. */
const MAX_NUMBERS = 2 ** 20
const MAX_DEPTH = 8

/** What `POST /v1/infer` takes: `input` is a list of numbers, or lists of lists of them, read in order. */
export type InferRequest = { model: string; input: number[] }

/** What it answers: `tensor` holds the integers that were proved, `output` the numbers they stand for. */
export type InferAnswer = { model: string; output: number[]; tensor: number[] }

const malformed = (message: string) => new AssayError(message, { code: 'malformed' })

/** JSON as everybody reads it: the last of two members of one name counts. */
function objectOf(body: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw malformed('The body is not valid JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('The body must be a JSON object.')
  }
  return value as Record<string, unknown>
}

/** Finite numbers, in order. @throws AssayError `malformed` */
export function flatNumbers(value: unknown, name: string): number[] {
  const numbers: number[] = []
  const walk = (entry: unknown, depth: number): void => {
    if (Array.isArray(entry)) {
      if (depth === MAX_DEPTH) throw malformed(`\`${name}\` is nested too deeply.`)
      for (const member of entry) walk(member, depth + 1)
    } else if (typeof entry === 'number' && Number.isFinite(entry)) {
      if (numbers.push(entry) > MAX_NUMBERS) throw malformed(`\`${name}\` holds too many numbers.`)
    } else throw malformed(`\`${name}\` must hold numbers only.`)
  }
  if (!Array.isArray(value)) throw malformed(`\`${name}\` must be a list of numbers.`)
  walk(value, 0)
  return numbers
}

function modelOf({ model }: Record<string, unknown>): string {
  if (typeof model !== 'string') throw malformed('`model` must be a text.')
  return model
}

/** @throws AssayError `malformed` */
export function readInferRequest(body: Uint8Array): InferRequest {
  const fields = objectOf(body)
  return { model: modelOf(fields), input: flatNumbers(fields.input, 'input') }
}

/** @throws AssayError `malformed` */
export function readInferAnswer(body: Uint8Array): InferAnswer {
  const fields = objectOf(body)
  const tensor = flatNumbers(fields.tensor, 'tensor')
  if (!tensor.every(Number.isSafeInteger)) throw malformed('`tensor` must hold integers only.')
  return { model: modelOf(fields), output: flatNumbers(fields.output, 'output'), tensor }
}
