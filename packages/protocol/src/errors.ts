/** Stable codes of the errors that cross a process boundary. A code never changes its meaning. */
export type AssayErrorCode =
  | 'malformed' // the bytes are not of the stated format
  | 'non_canonical' // they parse, but re-encoding gives other bytes
  | 'out_of_range' // an integer does not fit its field
  | 'bad_signature' // not 65 bytes, high s, or no key recovers
  | 'invalid_batch' // rows, order, sums or counts do not hold
  | 'unreachable' // a server or chain did not answer
  | 'config' // the settings given cannot work
  | 'conflict' // another record of the same identity exists
  | 'not_found'

export type AssayErrorParameters = {
  code: AssayErrorCode
  /** The values that explain the failure; never secrets, never request contents. */
  facts?: Record<string, unknown> | undefined
  /** What the reader can do about it. */
  next?: string | undefined
  cause?: unknown
}

/** Base of all errors this project throws on purpose: what happened, the facts, what to do next. */
export class AssayError extends Error {
  override readonly name = 'AssayError'
  readonly code: AssayErrorCode
  readonly shortMessage: string
  readonly facts: Record<string, unknown>
  readonly next: string | undefined

  constructor(shortMessage: string, parameters: AssayErrorParameters) {
    const facts = parameters.facts ?? {}
    const lines = [shortMessage]
    for (const [key, value] of Object.entries(facts)) lines.push(`  ${key}: ${String(value)}`)
    if (parameters.next !== undefined) lines.push(`Next: ${parameters.next}`)
    super(lines.join('\n'), { cause: parameters.cause })
    this.code = parameters.code
    this.shortMessage = shortMessage
    this.facts = facts
    this.next = parameters.next
  }
}
