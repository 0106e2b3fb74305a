import { Command, CommanderError } from 'commander'
import { EXIT, failureOf } from './cliError.ts'
import { registerAudit } from './commands/audit.ts'
import { registerChat } from './commands/chat.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerDown } from './commands/down.ts'
import { registerGov } from './commands/gov.ts'
import { registerInfer } from './commands/infer.ts'
import { registerMcp } from './commands/mcp.ts'
import { registerModel } from './commands/model.ts'
import { registerNode } from './commands/node.ts'
import { registerProxy } from './commands/proxy.ts'
import { registerStake } from './commands/stake.ts'
import { registerStatus } from './commands/status.ts'
import { registerSupply } from './commands/supply.ts'
import { registerUp } from './commands/up.ts'
import { registerValidator } from './commands/validator.ts'
import { registerValidatorCanary } from './commands/validatorCanary.ts'
import { registerValidatorRecord } from './commands/validatorRecord.ts'
import { registerVerify } from './commands/verify.ts'
import { registerWallet } from './commands/wallet.ts'
import { registerZk } from './commands/zk.ts'
import { type Output, printable, standardOutput, toJsonText } from './output.ts'

/** What every command gets: where to write, and how to say with which code to exit. */
export type CommandContext = { output: Output; exit(code: number): void }

/**
 * Runs one command line and returns its exit code: 0 ok, 1 failed, 2 usage, 3 unreachable, 130 stopped.
 * @param args arguments without the interpreter and script.
 */
export async function runCli(args: readonly string[], output: Output = standardOutput): Promise<number> {
  let exitCode: number = EXIT.ok
  const context: CommandContext = {
    output,
    exit: (code) => {
      exitCode = code
    },
  }
  const program = createProgram(context)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    // Help and version end the parse the same way as a mistake does, with code 0.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    const failure = failureOf(error, commandOf(program, args))
    if (args.includes('--json')) {
      const { code, message, facts, next } = failure
      output.out(toJsonText({ error: { code, message, facts, next } }))
    } else {
      // Messages and facts may quote a server or a file.
      output.err(printable(`assay: ${failure.message}\n`))
      for (const [name, value] of Object.entries(failure.facts)) {
        const text = Array.isArray(value) ? value.join(', ') : String(value)
        output.err(printable(`  ${name}: ${text}\n`))
      }
      if (failure.next !== undefined) output.err(`Next: ${failure.next}\n`)
    }
    if (process.env.ASSAY_DEBUG === '1' && error instanceof Error) output.err(`${error.stack}\n`)
    return failure.exitCode
  }
}

/** The verb, and the verb under it, that these arguments begin with. */
function commandOf(program: Command, args: readonly string[]): string {
  let at = program
  const path = [program.name()]
  for (const name of args) {
    const next = at.commands.find((command) => command.name() === name)
    if (next === undefined) break
    path.push(name)
    at = next
  }
  return path.join(' ')
}

function createProgram(context: CommandContext): Command {
  const program = new Command('assay')
    .description('Verifiable AI inference: the answer at once, the proof right behind it.')
    .version('0.1.0')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => context.output.out(text),
      // Mistakes are reported once, by `runCli`.
      writeErr: () => undefined,
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 ok or verified, 1 failed or a required step is missing, 2 usage, 3 unreachable, 130 stopped by ^C.',
    )
  for (const register of [
    registerUp,
    registerDown,
    registerStatus,
    registerDoctor,
    registerChat,
    registerInfer,
    registerVerify,
    registerProxy,
    registerMcp,
    registerAudit,
    registerModel,
    registerNode,
    registerWallet,
    registerGov,
    registerSupply,
    registerStake,
    registerValidator,
    registerValidatorRecord,
    registerValidatorCanary,
    registerZk,
  ]) {
    register(program, context)
  }
  return program
}
