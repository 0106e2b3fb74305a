import { statSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { writeFileAtomic } from '../up/writeFileAtomic.ts'
import { mustBeWritable, readUserFile } from '../userFile.ts'

type RecordOptions = { data: string; network?: string; json?: true }

/** `assay validator record`: what a validator has signed, taken from one machine to another. */
export function registerValidatorRecord(program: Command, context: CommandContext): void {
  const validator =
    program.commands.find((command) => command.name() === 'validator') ??
    program.command('validator').description('A validator on this machine.')
  const record = validator
    .command('record')
    .description('What a validator has signed: take it along whenever the validator moves. Stop it first.')
  const command = (name: string, description: string) =>
    record
      .command(name)
      .description(description)
      .argument('<file>', 'the record, canonical JSON')
      .requiredOption('--data <dir>', "the validator's data folder (ASSAY_DATA)")
      .option('--network <file>', 'network.json of another network')
      .option('--json', 'print JSON')

  command('export', 'Write it to a file. Do not start the validator here again.').action(
    async (file: string, options: RecordOptions) => {
      const { exportRecord, openSigningRecord } = await import('@assay/validator')
      const { deploymentId } = networkFor(options.network)
      mustBeFolder(options.data)
      mustBeWritable(file)
      const signing = openSigningRecord(options.data)
      try {
        const bytes = exportRecord(signing, deploymentId)
        writeFileAtomic(file, new TextDecoder().decode(bytes))
        const { valid, invalid, votes } = signing.counts(deploymentId)
        const done = { file: path.resolve(file), deploymentId, attestations: valid + invalid, votes }
        if (options.json === true) context.output.out(toJsonText(done))
        else context.output.out(`${done.attestations} attestations and ${votes} votes are in ${done.file}\n`)
      } finally {
        signing.close()
      }
    },
  )

  command(
    'import',
    'Add what a file says was signed. It only ever makes the validator more cautious.',
  ).action(async (file: string, options: RecordOptions) => {
    const { importRecord, MAX_RECORD_BYTES, openSigningRecord } = await import('@assay/validator')
    const { deploymentId } = networkFor(options.network)
    const bytes = readUserFile(file, MAX_RECORD_BYTES, 'a signing record')
    const signing = openSigningRecord(options.data)
    try {
      const added = importRecord(signing, deploymentId, bytes)
      if (options.json === true) context.output.out(toJsonText({ deploymentId, added }))
      else
        context.output.out(
          `${added.attestations} attestations and ${added.votes} votes are new.\n` +
            'The validator will be silent about everything up to its next start that it did not sign before.\n',
        )
    } finally {
      signing.close()
    }
  })
}

function mustBeFolder(dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true) return
  throw new CliError('There is no such data folder.', {
    exitCode: EXIT.usage,
    code: 'no_data',
    facts: { dir },
    next: 'Name the folder that the validator runs with as ASSAY_DATA.',
  })
}
