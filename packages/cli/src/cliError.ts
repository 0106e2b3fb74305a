import { AssayError } from '@assay/protocol'
import { factsInWords, SdkError } from '@assay/sdk'
import { ZkmlError } from '@assay/zkml/verifier'
import { CommanderError } from 'commander'

/** Exit codes that scripts rely on (DESIGN §7); the last is what shells make of ^C. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, stopped: 130 } as const

export type CliErrorParameters = {
  exitCode: number
  code: string
  facts?: Record<string, unknown> | undefined
  next?: string | undefined
  cause?: unknown
}

/** A user's mistake or a missing part, said in one line with what to do next. Never shown with a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number
  readonly code: string
  readonly facts: Record<string, unknown>
  readonly next: string | undefined

  constructor(message: string, parameters: CliErrorParameters) {
    super(message, { cause: parameters.cause })
    this.exitCode = parameters.exitCode
    this.code = parameters.code
    this.facts = parameters.facts ?? {}
    this.next = parameters.next
  }
}

/** What is said about an error, whatever it was. */
export type Failure = {
  exitCode: number
  code: string
  message: string
  facts: Record<string, unknown>
  next: string | undefined
}

/** Codes that do not simply mean that it failed: no server answered, its user left, or the call itself was wrong. */
const EXIT_CODES: ReadonlyMap<string, number> = new Map([
  ['unreachable', EXIT.unreachable],
  ['cancelled', EXIT.stopped],
  ...['config', 'unknown_model', 'bad_input'].map((code) => [code, EXIT.usage] as const),
])

/** Names of viem's errors that mean nobody answered at the RPC's address. */
const CONNECTION_ERRORS = new Set(['HttpRequestError', 'TimeoutError', 'WebSocketRequestError'])

/** @param command the command that was understood so far, e.g. `assay wallet` */
export function failureOf(error: unknown, command = 'assay'): Failure {
  if (error instanceof CliError) {
    const { exitCode, code, message, facts, next } = error
    return { exitCode, code, message, facts, next }
  }
  if (error instanceof CommanderError) {
    // Commander says "(outputHelp)" where a verb is missing.
    const missing = error.code === 'commander.help'
    const message = missing ? 'Say what to do.' : error.message.replace(/^error: /, '')
    return { exitCode: EXIT.usage, code: 'usage', message, facts: {}, next: `${command} --help` }
  }
  if (error instanceof SdkError || error instanceof AssayError) {
    const { code, shortMessage, next } = error
    const facts = error instanceof SdkError ? factsInWords(error) : error.facts
    return { exitCode: EXIT_CODES.get(code) ?? EXIT.failed, code, message: shortMessage, facts, next }
  }
  if (error instanceof ZkmlError) {
    const { code, shortMessage, facts, next } = error
    return { exitCode: EXIT.failed, code, message: shortMessage, facts, next }
  }
  if (causes(error).some((cause) => CONNECTION_ERRORS.has(cause.name))) {
    return {
      exitCode: EXIT.unreachable,
      code: 'unreachable',
      message: 'The chain does not answer.',
      facts: {},
      next: 'Start the network with: npm start',
    }
  }
  const message = error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error)
  return {
    exitCode: EXIT.failed,
    code: 'unexpected',
    message: `Something unexpected happened: ${message}`,
    facts: {},
    next: 'Run it again with ASSAY_DEBUG=1 to see where; if it stays, report it with that output.',
  }
}

function causes(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at = error; at instanceof Error && chain.length < 16; at = at.cause) chain.push(at)
  return chain
}
