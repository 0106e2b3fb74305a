import type { Hex } from 'viem'
import { CliError, failureOf } from './cliError.ts'
import type { Output } from './output.ts'

/** What a command that sends several transactions has done of what it means to do. */
export type Tally = {
  /** Says beforehand what is to be sent, where there is a choice; no name twice. */
  plan(names: readonly string[]): void
  /** Sends one of them, and tells of it once the chain has taken it. */
  send<Sent extends { transactionHash: Hex }>(name: string, transact: () => Promise<Sent>): Promise<Sent>
  /** Tells of one that was sent elsewhere. */
  landed(name: string, transactionHash: Hex): void
}

/**
 * Runs what sends several transactions. Each is told of as it lands, beside the answer where that is JSON; and where a later
 * step fails, the error says what went through and what did not, for a chain takes nothing back.
 */
export async function tallied<Result>(
  output: Output,
  json: true | undefined,
  act: (tally: Tally) => Promise<Result>,
): Promise<Result> {
  const done: string[] = []
  let left: string[] = []
  const tally: Tally = {
    plan(names) {
      left = [...names]
    },
    async send(name, transact) {
      if (!left.includes(name)) left.unshift(name)
      const sent = await transact()
      tally.landed(name, sent.transactionHash)
      return sent
    },
    landed(name, transactionHash) {
      const line = `${name}  ${transactionHash}`
      done.push(line)
      left = left.filter((other) => other !== name)
      if (json === true) output.err(`${line}\n`)
      else output.out(`${line}\n`)
    },
  }
  try {
    return await act(tally)
  } catch (cause) {
    if (done.length === 0 && left.length < 2) throw cause
    const { message, facts, ...failure } = failureOf(cause)
    const state = { ...(done.length > 0 && { done }), ...(left.length > 0 && { left }) }
    throw new CliError(message, { ...failure, facts: { ...facts, ...state }, cause })
  }
}
