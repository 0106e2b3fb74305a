import { BEGINS, beginOf } from './grammarParts.ts'

/**
 * How values of a schema may begin, told without its rules: of one that contains itself these are not there yet.
 * @param seen references that were followed; what they lead to is counted where they were first met
 */
export function beginsOf(root: unknown, value: unknown, seen = new Set<string>()): ReadonlySet<string> {
  if (typeof value !== 'object' || value === null) return new Set(BEGINS)
  const { $ref, const: only, enum: some, anyOf, type, properties } = value as Record<string, unknown>
  if (typeof $ref === 'string') {
    if (seen.has($ref)) return new Set()
    return beginsOf(root, pointedTo(root, $ref), seen.add($ref))
  }
  if (only !== undefined) return new Set([beginOf(JSON.stringify(only))])
  if (Array.isArray(some)) return new Set(some.map((entry) => beginOf(JSON.stringify(entry))))
  if (Array.isArray(anyOf)) return new Set(anyOf.flatMap((branch) => [...beginsOf(root, branch, seen)]))
  const types = type ?? (properties === undefined ? BEGINS : 'object')
  return new Set([types].flat().map((name) => (name === 'integer' ? 'number' : String(name))))
}

/** What a JSON pointer in a fragment names, percent-encoded there (RFC 6901 §6); undefined for nothing. */
export function pointedTo(root: unknown, fragment: string): unknown {
  let found: unknown = root
  for (const step of decoded(fragment.slice(1)).split('/').filter(Boolean)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
