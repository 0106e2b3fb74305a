import { refuse } from './refusal.ts'

/** Readers of one JSON value each: they return it in its type, or refuse it by the name it has in the request. */

export type Fields = Record<string, unknown>

/** Name of a member as an error shows it: what came in may be long. */
export function nameOf(member: string): string {
  return member.slice(0, 64)
}

export function objectAt(value: unknown, param: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse(`\`${param}\` must be an object.`, param, 'invalid_type')
  }
  return value as Fields
}

export function arrayAt(value: unknown, param: string, most: number): unknown[] {
  if (!Array.isArray(value)) refuse(`\`${param}\` must be an array.`, param, 'invalid_type')
  if (value.length > most) refuse(`\`${param}\` may have at most ${most} entries.`, param)
  return value
}

export function textAt(value: unknown, param: string, most = Number.POSITIVE_INFINITY): string {
  if (typeof value !== 'string') refuse(`\`${param}\` must be a string.`, param, 'invalid_type')
  if (!value.isWellFormed()) refuse(`\`${param}\` holds a lone surrogate.`, param)
  if (value.length > most) refuse(`\`${param}\` may have at most ${most} characters.`, param)
  return value
}

export function numberAt(value: unknown, param: string, from: number, to: number): number {
  if (typeof value !== 'number') refuse(`\`${param}\` must be a number.`, param, 'invalid_type')
  if (!(value >= from && value <= to)) refuse(`\`${param}\` must be between ${from} and ${to}.`, param)
  return value
}

export function integerAt(value: unknown, param: string, from: number, to: number): number {
  const number = numberAt(value, param, from, to)
  if (!Number.isInteger(number)) refuse(`\`${param}\` must be an integer.`, param)
  return number
}

export function booleanAt(value: unknown, param: string): boolean {
  if (typeof value !== 'boolean') refuse(`\`${param}\` must be a boolean.`, param, 'invalid_type')
  return value
}

/** Refuses members that are not among `names`; null says nothing and passes. */
export function onlyMembers(value: Fields, names: readonly string[], param: string): void {
  for (const [name, member] of Object.entries(value)) {
    if (names.includes(name) || member === null) continue
    const place = param === '' ? nameOf(name) : `${param}.${nameOf(name)}`
    refuse(`\`${place}\` is not known here.`, place, 'unknown_parameter')
  }
}

/** A member if it is there and not null, read by `read`. */
export function optional<T>(
  value: Fields,
  name: string,
  read: (member: unknown, param: string) => T,
  place = '',
): T | undefined {
  const member = value[name]
  return member === undefined || member === null
    ? undefined
    : read(member, place === '' ? name : `${place}.${name}`)
}

export const isEmptyArray = (value: unknown): boolean => Array.isArray(value) && value.length === 0
export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const isEmptyObject = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0
/** Whether an object says this and nothing else; null says nothing. */
export const saysOnly = (value: unknown, name: string, is: (member: unknown) => boolean): boolean =>
  isObject(value) &&
  Object.entries(value).every(([key, member]) => member === null || (key === name && is(member)))

/**
 * The members of a body that are set, each either read by this dialect or of a value that asks for what happens anyway.
 * Everything else is refused by name, so that nobody pays for an answer to another question. null means absent.
 */
export function knownMembers(
  fields: Fields,
  honoured: readonly string[],
  neutral: Readonly<Record<string, (value: unknown) => boolean>>,
): Fields {
  const given: Fields = Object.create(null)
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) continue
    if (honoured.includes(name)) {
      given[name] = value
      continue
    }
    const param = nameOf(name)
    const isNeutral = Object.hasOwn(neutral, name) ? neutral[name] : undefined
    if (isNeutral === undefined) refuse(`\`${param}\` is not supported.`, param, 'unsupported_parameter')
    if (!isNeutral(value)) refuse(`This value of \`${param}\` is not supported.`, param, 'unsupported_value')
  }
  return given
}
