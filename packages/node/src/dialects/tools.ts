import type { Tool } from '../engines/engine.ts'
import { textAt } from './fields.ts'
import { refuse } from './refusal.ts'

const NAME = /^[a-zA-Z0-9_-]{1,64}$/

/** Name of a function, or of a schema, as both dialects restrict it. */
export function functionNameAt(value: unknown, param: string): string {
  const name = textAt(value, param)
  if (!NAME.test(name)) refuse(`\`${param}\` must have 1 to 64 letters, digits, _ or -.`, param)
  return name
}

/** Characters of a call's id: what its maker signed it with may be a part of it (`engines/upstream/signedCall.ts`). */
const MAX_CALL_ID = 64 * 1024

/** Id of a call, as whoever made it gave it. */
export function callIdAt(value: unknown, param: string): string {
  return textAt(value, param, MAX_CALL_ID)
}

export function mustDiffer(tools: readonly Tool[]): void {
  if (new Set(tools.map(({ name }) => name)).size < tools.length) {
    refuse('Two of `tools` have the same name.', 'tools')
  }
}
