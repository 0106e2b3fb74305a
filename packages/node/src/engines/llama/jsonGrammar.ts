/**
 * Writes GBNF, llama.cpp's grammar notation, for JSON: any JSON, or JSON that follows a schema. What a schema says in
 * words that a grammar cannot hold to (a pattern, a sum, "exactly one of") is refused by its place, never left out.
 */

/** Deepest nesting, most rules, and most properties or values of one schema. */
const MAX_DEPTH = 32
const MAX_RULES = 4_000
const MAX_ENTRIES = 256
/** Longest counted repetition: a grammar unrolls it. */
const MAX_REPEAT = 256

/** Keywords that say nothing about which values are valid (JSON Schema 2020-12, annotations and identifiers). */
const ANNOTATIONS = new Set([
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
])

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const
type TypeName = (typeof TYPES)[number]

/** Keywords understood per type; `minimum` and `maximum` only where they exclude no integer of JSON (see below). */
const KEYWORDS: Record<TypeName, readonly string[]> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength'],
  number: [],
  integer: ['minimum', 'maximum'],
  boolean: [],
  null: [],
}

/** A schema that no grammar here can hold to; `place` is its position in the request. */
export class SchemaRefused extends Error {
  readonly place: string
  constructor(message: string, place: string) {
    super(message)
    this.place = place
  }
}

/** One space is allowed where models like to write one; nothing else stands between the tokens of JSON. */
const BASE: Record<string, string> = {
  sp: '" "?',
  char: '[^"\\\\\\x00-\\x1f\\x7f] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})',
  string: '"\\"" char* "\\""',
  integer: '"-"? ("0" | [1-9] [0-9]{0,15})',
  number: 'integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})?',
  boolean: '"true" | "false"',
  null: '"null"',
  member: 'string ":" sp value',
  object: '"{" (member ("," sp member)*)? "}"',
  array: '"[" (value ("," sp value)*)? "]"',
  value: 'object | array | string | number | boolean | null',
}

export type JsonGrammar = {
  /** Adds a rule under a name that starts with `hint`; returns the name. */
  rule: (hint: string, body: string) => string
  /**
   * Adds rules for a schema; returns the name of the one to use.
   * @param strict false: the schema is advice, and what a grammar cannot hold to is left to the model.
   * @throws SchemaRefused
   */
  schema: (schema: Record<string, unknown>, place: string, strict: boolean) => string
  /** The whole grammar. */
  text: (root: string) => string
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

export function createJsonGrammar(): JsonGrammar {
  const rules = new Map(Object.entries(BASE))

  function rule(hint: string, body: string): string {
    if (rules.size >= MAX_RULES) throw new SchemaRefused('The schema is too large.', hint)
    const name = `${hint}-${rules.size}`
    rules.set(name, body)
    return name
  }

  return {
    rule,
    schema: (schema, place, strict) => schemaRules(rules, rule, schema, strict)(schema, place, 0),
    text: (root) =>
      [`root ::= ${root}`, ...[...rules].map(([name, body]) => `${name} ::= ${body}`)].join('\n'),
  }
}

/** The walk over one schema; it adds rules and returns the name, or the literal, that stands for a part. */
function schemaRules(
  rules: Map<string, string>,
  rule: JsonGrammar['rule'],
  root: Record<string, unknown>,
  strict: boolean,
): (schema: unknown, place: string, depth: number) => string {
  /** Rules of what `$ref` points to, so that a schema may contain itself. */
  const references = new Map<string, string>()

  /** What cannot be held to: refused where the schema is a promise, left open where it is advice. */
  function refuse(message: string, place: string): void {
    if (strict) throw new SchemaRefused(message, place)
  }

  function visit(value: unknown, place: string, depth: number): string {
    if (depth > MAX_DEPTH) throw new SchemaRefused(`The schema is nested deeper than ${MAX_DEPTH}.`, place)
    if (value === true) return 'value'
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new SchemaRefused('A schema must be an object.', place)
    }
    const schema = value as Record<string, unknown>
    if (schema.$ref !== undefined) {
      onlyKeywords(schema, ['$ref'], place)
      return reference(schema.$ref, place, depth)
    }
    if (schema.const !== undefined) {
      onlyKeywords(schema, ['const', 'type'], place)
      return literal(JSON.stringify(schema.const))
    }
    if (schema.enum !== undefined) {
      onlyKeywords(schema, ['enum', 'type'], place)
      const values = listAt(schema.enum, `${place}.enum`)
      return rule('enum', values.map((entry) => literal(JSON.stringify(entry))).join(' | '))
    }
    if (schema.anyOf !== undefined) {
      onlyKeywords(schema, ['anyOf', 'type'], place)
      const branches = listAt(schema.anyOf, `${place}.anyOf`)
      return rule(
        'any',
        branches.map((branch, at) => visit(branch, `${place}.anyOf[${at}]`, depth + 1)).join(' | '),
      )
    }
    return ofTypes(schema, place, depth)
  }

  function ofTypes(schema: Record<string, unknown>, place: string, depth: number): string {
    const given = schema.type ?? (schema.properties !== undefined ? 'object' : undefined)
    if (given === undefined) {
      onlyKeywords(schema, [], place)
      return 'value'
    }
    const names = (Array.isArray(given) ? given : [given]) as unknown[]
    if (names.length === 0) throw new SchemaRefused('`type` must name a type.', `${place}.type`)
    for (const name of names) {
      if (!TYPES.includes(name as TypeName)) {
        throw new SchemaRefused(`\`type\` must be one of ${TYPES.join(', ')}.`, `${place}.type`)
      }
    }
    const types = names as TypeName[]
    onlyKeywords(schema, ['type', ...types.flatMap((type) => KEYWORDS[type])], place)
    const bodies = types.map((type) => ofType(type, schema, place, depth))
    return bodies.length === 1 ? (bodies[0] as string) : rule('types', bodies.join(' | '))
  }

  function ofType(type: TypeName, schema: Record<string, unknown>, place: string, depth: number): string {
    if (type === 'object') return object(schema, place, depth)
    if (type === 'array') return array(schema, place, depth)
    if (type === 'string' && (schema.minLength !== undefined || schema.maxLength !== undefined)) {
      const [from, to] = counts(schema, 'minLength', 'maxLength', place)
      return rule('text', `"\\"" char${repeat(from, to)} "\\""`)
    }
    if (type === 'integer') {
      // Generators write the range of safe integers where they mean "any integer"; a real range is no regular thing.
      const { minimum, maximum } = schema
      if (minimum !== undefined && !(typeof minimum === 'number' && minimum <= Number.MIN_SAFE_INTEGER)) {
        refuse('`minimum` cannot be held to.', `${place}.minimum`)
      }
      if (maximum !== undefined && !(typeof maximum === 'number' && maximum >= Number.MAX_SAFE_INTEGER)) {
        refuse('`maximum` cannot be held to.', `${place}.maximum`)
      }
    }
    return type
  }

  function object(schema: Record<string, unknown>, place: string, depth: number): string {
    const properties = (schema.properties ?? {}) as Record<string, unknown>
    if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) {
      throw new SchemaRefused('`properties` must be an object.', `${place}.properties`)
    }
    const required = schema.required === undefined ? [] : listAt(schema.required, `${place}.required`, 0)
    const names = [...new Set([...Object.keys(properties), ...(required as string[])])]
    if (names.length > MAX_ENTRIES) {
      throw new SchemaRefused(`An object may have at most ${MAX_ENTRIES} properties.`, `${place}.properties`)
    }
    if (names.length === 0) {
      if (schema.additionalProperties === false) return literal('{}')
      if (schema.additionalProperties === undefined || schema.additionalProperties === true) return 'object'
      const value = visit(schema.additionalProperties, `${place}.additionalProperties`, depth + 1)
      const member = rule('member', `string ":" sp ${value}`)
      return rule('map', `"{" (${member} ("," sp ${member})*)? "}"`)
    }
    // From the last property to the first, what may follow once a member stands before it, and when none does.
    let afterSome = ''
    let afterNone = ''
    for (const name of names.reverse()) {
      const inner = Object.hasOwn(properties, name)
        ? visit(properties[name], `${place}.properties.${name}`, depth + 1)
        : 'value'
      const member = `${literal(`${JSON.stringify(name)}:`)} sp ${inner}`
      const optional = !required.includes(name)
      const some = optional
        ? `("," sp ${member} ${afterSome}) | ${afterSome || '""'}`
        : `"," sp ${member} ${afterSome}`
      const none = optional ? `(${member} ${afterSome}) | ${afterNone || '""'}` : `${member} ${afterSome}`
      afterSome = rule('more', some)
      afterNone = rule('first', none)
    }
    return rule('obj', `"{" ${afterNone} "}"`)
  }

  function array(schema: Record<string, unknown>, place: string, depth: number): string {
    const item = schema.items === undefined ? 'value' : visit(schema.items, `${place}.items`, depth + 1)
    const [from, to] = counts(schema, 'minItems', 'maxItems', place)
    if (to === 0) return literal('[]')
    const rest = `("," sp ${item})${repeat(Math.max(0, from - 1), to === undefined ? undefined : to - 1)}`
    return rule('list', from === 0 ? `"[" (${item} ${rest})? "]"` : `"[" ${item} ${rest} "]"`)
  }

  function counts(
    schema: Record<string, unknown>,
    least: string,
    most: string,
    place: string,
  ): [from: number, to: number | undefined] {
    for (const name of [least, most]) {
      const count = schema[name]
      if (count === undefined) continue
      if (typeof count !== 'number' || !Number.isInteger(count) || count < 0) {
        throw new SchemaRefused(`\`${name}\` must be a whole number.`, `${place}.${name}`)
      }
      if (count > MAX_REPEAT) {
        refuse(`\`${name}\` may be at most ${MAX_REPEAT}.`, `${place}.${name}`)
        return [0, undefined]
      }
    }
    const from = (schema[least] as number | undefined) ?? 0
    const to = schema[most] as number | undefined
    if (to !== undefined && to < from) {
      throw new SchemaRefused(`\`${most}\` is smaller than \`${least}\`.`, `${place}.${most}`)
    }
    return [from, to]
  }

  function reference(target: unknown, place: string, depth: number): string {
    if (typeof target !== 'string' || !target.startsWith('#')) {
      throw new SchemaRefused('`$ref` must point into this schema.', `${place}.$ref`)
    }
    const known = references.get(target)
    if (known !== undefined) return known
    const found = pointedTo(root, target)
    if (found === undefined) throw new SchemaRefused('`$ref` points to nothing.', `${place}.$ref`)
    // Named before it is visited, for it may contain itself.
    const name = rule('ref', '')
    references.set(target, name)
    rules.set(name, visit(found, place, depth + 1))
    return name
  }

  function onlyKeywords(schema: Record<string, unknown>, known: readonly string[], place: string): void {
    for (const name of Object.keys(schema)) {
      if (known.includes(name) || ANNOTATIONS.has(name)) continue
      refuse(`The keyword \`${name.slice(0, 64)}\` cannot be held to.`, `${place}.${name.slice(0, 64)}`)
    }
  }

  return visit
}

/** What a JSON pointer (RFC 6901) in a fragment names; undefined for nothing. */
function pointedTo(root: unknown, fragment: string): unknown {
  let found: unknown = root
  for (const step of fragment.slice(1).split('/').filter(Boolean)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

function repeat(from: number, to: number | undefined): string {
  if (from === 0 && to === undefined) return '*'
  return to === undefined ? `{${from},}` : `{${from},${to}}`
}

function listAt(value: unknown, place: string, least = 1): unknown[] {
  if (!Array.isArray(value) || value.length < least || value.length > MAX_ENTRIES) {
    throw new SchemaRefused(`This must be a list of ${least} to ${MAX_ENTRIES} entries.`, place)
  }
  return value
}
