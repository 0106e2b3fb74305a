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

export type ErrorParameters<Code extends string> = {
  code: Code
  /** The values that explain the failure; never secrets, never request contents. */
  facts?: Record<string, unknown> | undefined
  /** What the reader can do about it. */
  next?: string | undefined
  cause?: unknown
}

/** What happened, the facts, what to do next: the form of every error that this project throws on purpose. */
export abstract class ExplainedError<Code extends string> extends Error {
  readonly code: Code
  readonly shortMessage: string
  readonly facts: Record<string, unknown>
  readonly next: string | undefined

  constructor(shortMessage: string, parameters: ErrorParameters<Code>) {
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

/** An error that may cross a process boundary. */
export class AssayError extends ExplainedError<AssayErrorCode> {
  override readonly name = 'AssayError'
}
