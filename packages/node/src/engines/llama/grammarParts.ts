/** Most readings open at once; each costs about 15 ms a token on one core with a vocabulary of 49,152. */
export const MAX_READINGS = 24

/** Most properties, values or alternatives of one schema. */
export const MAX_ENTRIES = 256

/** A schema that no grammar here can hold to; `place` is its position in the request. */
export class SchemaRefused extends Error {
  readonly place: string
  constructor(message: string, place: string) {
    super(message)
    this.place = place
  }
}

/** What may stand at one point of the text. */
export type Part = {
  /** GBNF for it: a rule's name or a literal. */
  ref: string
  /** Most readings that can be open inside it. */
  readings: number
  /** First characters, by the kinds of JSON values: parts that begin apart are never open together. */
  begins: ReadonlySet<string>
  /** It contains a place that leads back to what contains it. */
  loops: boolean
}

/** The kinds of JSON values, by how they begin. */
export const BEGINS = ['object', 'array', 'string', 'number', 'boolean', 'null']

/** Any value of one kind, or any at all, by the rules that every grammar has. */
export function simple(ref: string): Part {
  const begins = ref === 'value' ? BEGINS : [ref === 'integer' ? 'number' : ref]
  return { ref, readings: 1, begins: new Set(begins), loops: false }
}

/** A quoted GBNF text. */
export function literal(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
  return `"${escaped}"`
}

/** Kind of the value that a JSON text begins. */
export function beginOf(json: string): string {
  const kinds: Record<string, string> = {
    '{': 'object',
    '[': 'array',
    '"': 'string',
    t: 'boolean',
    f: 'boolean',
    n: 'null',
  }
  return kinds[json[0] ?? ''] ?? 'number'
}

/** @throws SchemaRefused */
export function bounded(readings: number, place: string): number {
  if (readings <= MAX_READINGS) return readings
  throw new SchemaRefused(
    `${readings} of its alternatives begin alike; a grammar can tell at most ${MAX_READINGS} apart.`,
    place,
  )
}

/** @throws SchemaRefused */
export function listAt(value: unknown, place: string, least = 1): unknown[] {
  if (!Array.isArray(value) || value.length < least || value.length > MAX_ENTRIES) {
    throw new SchemaRefused(`This must be a list of ${least} to ${MAX_ENTRIES} entries.`, place)
  }
  return value
}
