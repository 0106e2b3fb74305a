/**
 * Writes GBNF, llama.cpp's grammar notation, for JSON: any JSON, or JSON that follows a schema. What a schema says in
 * words that a grammar cannot hold to (a pattern, a sum, "exactly one of") is refused by its place, never left out.
 *
 * llama.cpp follows every reading of the text so far that may still turn out right, and holds the whole vocabulary
 * against each of them, at every token: a schema with a hundred branches that all begin alike would cost a hundred
 * times the work for the price of one token. So the number of readings that can be open at once is counted while the
 * grammar is built, and bounded.
 */

import { beginOf, bounded, literal, type Part, SchemaRefused, simple } from './grammarParts.ts'
import { schemaRules } from './schemaRules.ts'

/** Most rules of one grammar. */
const MAX_RULES = 4_000

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
  /** Any object. */
  object: Part
  /** Adds a rule under a name that starts with `hint`; returns the name. */
  rule: (hint: string, body: string) => string
  /**
   * Adds rules for a schema.
   * @param strict false: the schema is advice, and what a grammar cannot hold to is left to the model.
   * @throws SchemaRefused
   */
  schema: (schema: Record<string, unknown>, place: string, strict: boolean) => Part
  /** One of some texts, each with what follows it; what they have in common is read once. @throws SchemaRefused */
  oneOf: (entries: readonly { text: string; tail: Part | undefined }[], place: string) => Part
  /** The whole grammar. */
  text: (root: string) => string
}

export function createJsonGrammar(): JsonGrammar {
  const rules = new Map(Object.entries(BASE))
  /** Where the schema stands that rules are made for. */
  let here = ''

  function rule(hint: string, body: string): string {
    if (rules.size >= MAX_RULES) throw new SchemaRefused('The schema is too large.', here)
    const name = `${hint}-${rules.size}`
    rules.set(name, body)
    return name
  }

  /** Texts as a tree of their common beginnings; only a fork in it opens several readings. */
  const oneOf: JsonGrammar['oneOf'] = (entries, place) => {
    let widest = 1
    const fork = (group: typeof entries, from: number): string => {
      const end = commonEnd(group, from)
      const shared = literal(group[0]?.text.slice(from, end) ?? '')
      const branches = new Map<string, { text: string; tail: Part | undefined }[]>()
      for (const entry of group) {
        const next = entry.text[end] ?? ''
        branches.set(next, [...(branches.get(next) ?? []), entry])
      }
      widest = Math.max(widest, branches.size)
      const bodies = [...branches].map(([next, members]) =>
        next === '' ? (members[0]?.tail?.ref ?? '""') : fork(members, end),
      )
      return bodies.length === 1 ? `${shared} ${bodies[0]}` : `${shared} ${rule('fork', bodies.join(' | '))}`
    }
    const ref = rule('one', fork(entries, 0))
    const readings = Math.max(widest, ...entries.map(({ tail }) => tail?.readings ?? 1))
    return {
      ref,
      readings: bounded(readings, place),
      begins: new Set(entries.map(({ text }) => beginOf(text))),
      loops: entries.some(({ tail }) => tail?.loops === true),
    }
  }

  return {
    object: simple('object'),
    rule,
    oneOf,
    schema(schema, place, strict) {
      here = place
      return schemaRules(rules, rule, oneOf, schema, strict)(schema, place, 0)
    },
    text: (root) =>
      [`root ::= ${root}`, ...[...rules].map(([name, body]) => `${name} ::= ${body}`)].join('\n'),
  }
}

/** Where the texts stop being the same. */
function commonEnd(group: readonly { text: string }[], from: number): number {
  const [first, ...others] = group.map(({ text }) => text)
  let end = from
  while (first !== undefined && end < first.length && others.every((text) => text[end] === first[end])) end++
  return end
}
