import { AssayError } from '../errors.ts'

/** A JSON number that Python reads as `float`: one written with a point or an exponent. */
export class PythonFloat {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** JSON as Python's `json.loads` gives it: integers and floats are told apart by how they were written. */
export type PythonJson =
  | null
  | boolean
  | string
  /** Python's `int`, of any size. */
  | bigint
  | PythonFloat
  | PythonJson[]
  | { [name: string]: PythonJson }

/** Digits of an integer that Python still reads (`sys.int_info.default_max_str_digits`). */
const MAX_INTEGER_DIGITS = 4300
/** Nesting that is followed: half of Python's own recursion limit, and far more than a request needs. */
const MAX_DEPTH = 500

/**
 * Python's `json.loads` over strict JSON (RFC 8259; of NaN and Infinity, which Python also reads, there is none).
 * @throws AssayError `malformed`
 */
export function readPythonJson(text: string): PythonJson {
  try {
    return JSON.parse(text, readNumber) as PythonJson
  } catch (cause) {
    if (cause instanceof AssayError) throw cause
    throw new AssayError('The text is not JSON that can be read here.', { code: 'malformed', cause })
  }
}

/** `JSON.parse`'s reviver, which is shown each number as it was written (ECMA-262 §25.5.1, `context.source`). */
function readNumber(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number') return value
  const source = context?.source
  if (source === undefined) throw new Error('this runtime does not show how numbers were written')
  if (/[.eE]/.test(source)) return new PythonFloat(value)
  if (source.length > MAX_INTEGER_DIGITS) {
    throw new AssayError('An integer is too long.', { code: 'malformed', facts: { digits: source.length } })
  }
  return BigInt(source)
}

/**
 * Python's `json.dumps(value, sort_keys=True)`: names in the order of their code points, ", " and ": " between, and
 * nothing but ASCII.
 * @throws AssayError `malformed` where it nests too deeply
 */
export function writePythonJson(value: PythonJson, depth = 0): string {
  if (depth > MAX_DEPTH) throw new AssayError('The document nests too deeply.', { code: 'malformed' })
  if (value === null) return 'null'
  if (typeof value === 'string') return writeString(value)
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (value instanceof PythonFloat) return writeFloat(value.value)
  if (Array.isArray(value)) return `[${value.map((entry) => writePythonJson(entry, depth + 1)).join(', ')}]`
  const members = Object.entries(value)
    .sort(([a], [b]) => compareCodePoints(a, b))
    .map(([name, member]) => `${writeString(name)}: ${writePythonJson(member, depth + 1)}`)
  return `{${members.join(', ')}}`
}

const ESCAPES: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
}

/** CPython's `py_encode_basestring_ascii`: all but printable ASCII is escaped, by UTF-16 code unit. */
function writeString(text: string): string {
  const escaped = text.replace(
    /["\\]|[^ -~]/g,
    (unit) => ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `"${escaped}"`
}

/** CPython's `float.__repr__`: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on. */
function writeFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const [mantissa, power] = Math.abs(value).toExponential().split('e') as [string, string]
  const digits = mantissa.replace('.', '')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= 16) {
    const point = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits
    return `${sign}${point}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

/** As Python compares `str`, and as the default sort does not: that compares UTF-16 code units. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    if (a[at] === b[at]) continue
    return (a.codePointAt(at) as number) - (b.codePointAt(at) as number)
  }
  return a.length - b.length
}
