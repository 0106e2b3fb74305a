import { listAt, SchemaRefused } from './grammarParts.ts'
import { pointedTo } from './schemaReferences.ts'

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const
export type TypeName = (typeof TYPES)[number]

/** References to references that are followed to see what a schema is. */
const MAX_STEPS = 32

/** What `type` says, each name once; undefined where it is not there. @throws SchemaRefused */
export function typesAt(schema: Record<string, unknown>, place: string): TypeName[] | undefined {
  if (schema.type === undefined) return undefined
  const names = Array.isArray(schema.type) ? listAt(schema.type, `${place}.type`) : [schema.type]
  if (!names.every((name) => TYPES.includes(name as TypeName))) {
    throw new SchemaRefused(`\`type\` must be one of ${TYPES.join(', ')}.`, `${place}.type`)
  }
  return [...new Set(names as TypeName[])]
}

/** Whether a value is of one of some types; whole numbers are integers however they are written (2020-12 §4.2.3). */
export function isOf(types: readonly TypeName[], value: unknown): boolean {
  return types.some((type) => {
    if (type === 'null') return value === null
    if (type === 'array') return Array.isArray(value)
    if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
    if (type === 'integer') return Number.isInteger(value)
    return typeof value === type
  })
}

/**
 * A schema, held to some types as well; the same one where they exclude nothing of it, undefined where they leave nothing.
 * Of alternatives in it they may leave nothing all the same, which is found when these are visited.
 */
export function narrowed(
  root: unknown,
  value: unknown,
  types: readonly TypeName[],
  place: string,
  steps = 0,
): unknown {
  if (value === true) return { type: types }
  // Not a schema: refused when it is visited.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const schema = value as Record<string, unknown>
  const own = typesAt(schema, place)
  const both = own === undefined ? types : common(own, types)
  if (both.length === 0) return undefined
  if (own?.every((name) => both.includes(name))) return schema
  const { $ref, const: only, enum: some } = schema
  if (typeof $ref === 'string') {
    if (steps === MAX_STEPS) {
      throw new SchemaRefused('`$ref` leads back to itself, or through too many others.', `${place}.$ref`)
    }
    const target = pointedTo(root, $ref)
    const left = narrowed(root, target, both, place, steps + 1)
    if (left === undefined && target !== undefined) return undefined
    if (own === undefined && left === target) return schema
  } else if (only !== undefined || some !== undefined) {
    const members = only !== undefined ? [only] : listAt(some, `${place}.enum`)
    const left = members.filter((member) => isOf(both, member))
    if (left.length === 0) return undefined
    if (own === undefined && left.length === members.length) return schema
  }
  return { ...schema, type: both }
}

/** Types of whatever is of one of both lists. */
function common(some: readonly TypeName[], others: readonly TypeName[]): TypeName[] {
  const isIn = (name: TypeName, list: readonly TypeName[]) =>
    list.includes(name) || (name === 'integer' && list.includes('number'))
  const both = [...some.filter((name) => isIn(name, others)), ...others.filter((name) => isIn(name, some))]
  return [...new Set(both)]
}
