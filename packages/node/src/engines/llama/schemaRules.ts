import {
  BEGINS,
  bounded,
  listAt,
  literal,
  MAX_ENTRIES,
  MAX_READINGS,
  type Part,
  SchemaRefused,
  simple,
} from './grammarParts.ts'
import type { JsonGrammar } from './jsonGrammar.ts'
import { beginsOf, pointedTo } from './schemaReferences.ts'
import { isOf, narrowed, type TypeName, typesAt } from './schemaTypes.ts'

/** Deepest nesting. */
const MAX_DEPTH = 32
/** Longest counted repetition: a grammar unrolls it. */
const MAX_REPEAT = 256
/** Objects with more optional properties than this have all of them: valid as well, and read in one way only. */
const MAX_OPTIONAL = 8

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

type Reference = {
  name: string
  part: Part | undefined
  brackets: number
  begins?: ReadonlySet<string> | undefined
}

/** The walk over one schema, which adds its rules to those that there are. */
export function schemaRules(
  rules: Map<string, string>,
  rule: JsonGrammar['rule'],
  oneOf: JsonGrammar['oneOf'],
  root: Record<string, unknown>,
  strict: boolean,
): (schema: unknown, place: string, depth: number) => Part {
  /** What `$ref` points to, so that a schema may contain itself; with its depth while it is being visited. */
  const references = new Map<string, Reference>()
  /** Objects and arrays around the place that is being visited. */
  let brackets = 0

  /** What cannot be held to: refused where the schema is a promise, left open where it is advice. */
  function refuse(message: string, place: string): Part {
    if (strict) throw new SchemaRefused(message, place)
    return simple('value')
  }

  function inside<T>(visit: () => T): T {
    brackets++
    try {
      return visit()
    } finally {
      brackets--
    }
  }

  function visit(value: unknown, place: string, depth: number): Part {
    if (depth > MAX_DEPTH) throw new SchemaRefused(`The schema is nested deeper than ${MAX_DEPTH}.`, place)
    if (value === true) return simple('value')
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new SchemaRefused('A schema must be an object.', place)
    }
    const schema = value as Record<string, unknown>
    const types = typesAt(schema, place)
    if (schema.$ref !== undefined) {
      onlyKeywords(schema, ['$ref', 'type'], place)
      return reference(schema.$ref, types, place, depth)
    }
    if (schema.const !== undefined) {
      onlyKeywords(schema, ['const', 'type'], place)
      return literals([schema.const], types, `${place}.const`)
    }
    if (schema.enum !== undefined) {
      onlyKeywords(schema, ['enum', 'type'], place)
      return literals(listAt(schema.enum, `${place}.enum`), types, `${place}.enum`)
    }
    if (schema.anyOf !== undefined) {
      onlyKeywords(schema, ['anyOf', 'type'], place)
      return anyOf(listAt(schema.anyOf, `${place}.anyOf`), types, `${place}.anyOf`, depth)
    }
    return ofTypes(schema, types ?? (schema.properties === undefined ? undefined : ['object']), place, depth)
  }

  /** Those of some values that `type` allows, where it stands beside them. */
  function literals(values: readonly unknown[], types: TypeName[] | undefined, place: string): Part {
    const left = types === undefined ? values : values.filter((value) => isOf(types, value))
    if (left.length === 0) throw nothingLeft(place)
    const texts = new Set(left.map((entry) => JSON.stringify(entry)))
    try {
      return oneOf(
        [...texts].map((text) => ({ text, tail: undefined })),
        place,
      )
    } catch (error) {
      if (!strict && error instanceof SchemaRefused) return simple('value')
      throw error
    }
  }

  /** Those of some schemas that `type` allows, each as far as it does, where it stands beside them. */
  function anyOf(
    branches: readonly unknown[],
    types: TypeName[] | undefined,
    place: string,
    depth: number,
  ): Part {
    const parts: Part[] = []
    for (const [at, branch] of branches.entries()) {
      const here = `${place}[${at}]`
      const left = types === undefined ? branch : narrowed(root, branch, types, here)
      if (left !== undefined) parts.push(visit(left, here, depth + 1))
    }
    if (parts.length === 0) throw nothingLeft(place)
    return choice(parts, place)
  }

  /** Any of some parts: those that begin alike are open together until they differ. */
  function choice(parts: readonly Part[], place: string): Part {
    let readings = 1
    for (const begin of BEGINS) {
      const together = parts.filter(({ begins }) => begins.has(begin))
      if (together.length > 1 && together.some(({ loops }) => loops)) {
        return refuse('Alternatives that begin alike must not lead back to themselves.', place)
      }
      readings = Math.max(
        readings,
        together.reduce((sum, part) => sum + part.readings, 0),
      )
    }
    if (readings > MAX_READINGS && !strict) return simple('value')
    return {
      ref: parts.length === 1 ? (parts[0] as Part).ref : rule('any', parts.map(({ ref }) => ref).join(' | ')),
      readings: bounded(readings, place),
      begins: new Set(parts.flatMap(({ begins }) => [...begins])),
      loops: parts.some(({ loops }) => loops),
    }
  }

  function ofTypes(
    schema: Record<string, unknown>,
    types: TypeName[] | undefined,
    place: string,
    depth: number,
  ): Part {
    if (types === undefined) {
      onlyKeywords(schema, [], place)
      return simple('value')
    }
    onlyKeywords(schema, ['type', ...types.flatMap((type) => KEYWORDS[type])], place)
    return choice(
      types.map((type) => ofType(type, schema, place, depth)),
      `${place}.type`,
    )
  }

  function ofType(type: TypeName, schema: Record<string, unknown>, place: string, depth: number): Part {
    if (type === 'object') return inside(() => object(schema, place, depth))
    if (type === 'array') return inside(() => array(schema, place, depth))
    if (type === 'string' && (schema.minLength !== undefined || schema.maxLength !== undefined)) {
      const [from, to] = counts(schema, 'minLength', 'maxLength', place)
      return { ...simple('string'), ref: rule('text', `"\\"" char${repeat(from, to)} "\\""`), readings: 2 }
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
    return simple(type)
  }

  function object(schema: Record<string, unknown>, place: string, depth: number): Part {
    const properties = (schema.properties ?? {}) as Record<string, unknown>
    if (typeof properties !== 'object' || properties === null || Array.isArray(properties)) {
      throw new SchemaRefused('`properties` must be an object.', `${place}.properties`)
    }
    const required = new Set(
      schema.required === undefined ? [] : (listAt(schema.required, `${place}.required`, 0) as unknown[]),
    )
    const names = [...new Set([...Object.keys(properties), ...required])].map(String)
    if (names.length > MAX_ENTRIES) {
      throw new SchemaRefused(`An object may have at most ${MAX_ENTRIES} properties.`, `${place}.properties`)
    }
    if (names.length === 0) {
      if (schema.additionalProperties === false) return { ...simple('object'), ref: literal('{}') }
      if (schema.additionalProperties === undefined || schema.additionalProperties === true)
        return simple('object')
      const value = visit(schema.additionalProperties, `${place}.additionalProperties`, depth + 1)
      const member = rule('member', `string ":" sp ${value.ref}`)
      const ref = rule('map', `"{" (${member} ("," sp ${member})*)? "}"`)
      return { ...simple('object'), ref, readings: value.readings, loops: value.loops }
    }
    const isNamed = (name: string): boolean => Object.hasOwn(properties, name)
    const unnamed = names.every(isNamed) ? simple('value') : unnamedProperty(schema, place, depth)
    const optional = names.filter((name) => !required.has(name))
    const mayLack = (name: string): boolean => !required.has(name) && optional.length <= MAX_OPTIONAL
    let readings = optional.length <= MAX_OPTIONAL ? optional.length + 1 : 1
    let loops = false
    // From the last property to the first, what may follow once a member stands before it, and when none does.
    let afterSome = '""'
    let afterNone = '""'
    for (const name of names.reverse()) {
      const inner = isNamed(name)
        ? visit(properties[name], `${place}.properties.${name}`, depth + 1)
        : unnamed
      readings = Math.max(readings, inner.readings)
      loops ||= inner.loops
      const member = `${literal(`${JSON.stringify(name)}:`)} sp ${inner.ref} ${afterSome}`
      const some = `"," sp ${member}`
      afterNone = rule('first', mayLack(name) ? `(${member}) | ${afterNone}` : member)
      afterSome = rule('more', mayLack(name) ? `(${some}) | ${afterSome}` : some)
    }
    return { ...simple('object'), ref: rule('obj', `"{" ${afterNone} "}"`), readings, loops }
  }

  /** A property that is required while `properties` says nothing of it. */
  function unnamedProperty(schema: Record<string, unknown>, place: string, depth: number): Part {
    if (schema.additionalProperties === false) {
      return refuse('`additionalProperties` forbids a property that is required.', `${place}.required`)
    }
    return visit(schema.additionalProperties ?? true, `${place}.additionalProperties`, depth + 1)
  }

  function array(schema: Record<string, unknown>, place: string, depth: number): Part {
    const item =
      schema.items === undefined ? simple('value') : visit(schema.items, `${place}.items`, depth + 1)
    const [from, to] = counts(schema, 'minItems', 'maxItems', place)
    if (to === 0) return { ...simple('array'), ref: literal('[]') }
    const rest = `("," sp ${item.ref})${repeat(Math.max(0, from - 1), to === undefined ? undefined : to - 1)}`
    const body = from === 0 ? `"[" (${item.ref} ${rest})? "]"` : `"[" ${item.ref} ${rest} "]"`
    return { ...simple('array'), ref: rule('list', body), readings: item.readings + 1, loops: item.loops }
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

  /** What is pointed to, as far as `type` beside the reference allows it. */
  function reference(target: unknown, types: TypeName[] | undefined, place: string, depth: number): Part {
    if (typeof target !== 'string' || !target.startsWith('#')) {
      throw new SchemaRefused('`$ref` must point into this schema.', `${place}.$ref`)
    }
    const name = JSON.stringify([target, types])
    const known = references.get(name)
    if (known?.part !== undefined) return known.part
    if (known !== undefined) {
      // Without a bracket in between it would have to be inside itself before its first character.
      if (known.brackets === brackets)
        throw new SchemaRefused('`$ref` leads back to itself.', `${place}.$ref`)
      known.begins ??= beginsOf(root, { $ref: target })
      return { ref: known.name, readings: 1, begins: known.begins, loops: true }
    }
    const found = pointedTo(root, target)
    if (found === undefined) throw new SchemaRefused('`$ref` points to nothing.', `${place}.$ref`)
    const left = types === undefined ? found : narrowed(root, found, types, place)
    if (left === undefined) throw nothingLeft(`${place}.$ref`)
    // Named before it is visited, for it may contain itself.
    const entry: Reference = { name: rule('ref', ''), part: undefined, brackets }
    references.set(name, entry)
    const part = visit(left, place, depth + 1)
    rules.set(entry.name, part.ref)
    entry.part = { ...part, ref: entry.name }
    return entry.part
  }

  function onlyKeywords(schema: Record<string, unknown>, known: readonly string[], place: string): void {
    for (const name of Object.keys(schema)) {
      if (known.includes(name) || ANNOTATIONS.has(name)) continue
      refuse(`The keyword \`${name.slice(0, 64)}\` cannot be held to.`, `${place}.${name.slice(0, 64)}`)
    }
  }

  return visit
}

function nothingLeft(place: string): SchemaRefused {
  return new SchemaRefused('`type` beside this allows none of its values.', place)
}

function repeat(from: number, to: number | undefined): string {
  if (from === 0 && to === undefined) return '*'
  return to === undefined ? `{${from},}` : `{${from},${to}}`
}
