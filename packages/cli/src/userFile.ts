import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { CliError, EXIT } from './cliError.ts'

/** A file that the user names, of at most `most` bytes. @throws CliError with what is wrong with it */
export function readUserFile(file: string, most: number, what: string): Uint8Array {
  try {
    const { size } = statSync(file)
    if (size > most)
      throw new CliError(`The file is too large to be ${what}.`, {
        exitCode: EXIT.failed,
        code: 'too_large',
        facts: { file, bytes: size, maxBytes: most },
      })
    return readFileSync(file)
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    throw new CliError(`There is no ${what.replace(/^an? /, '')} to read.`, {
      exitCode: EXIT.usage,
      code: 'unreadable',
      facts: { file, reason: (cause as NodeJS.ErrnoException).code ?? String(cause) },
      next: 'check the path',
      cause,
    })
  }
}

/** A file that the user wants written once long or paid work is done: what keeps it from that is said before. @throws CliError */
export function mustBeWritable(file: string): void {
  const folder = path.dirname(path.resolve(file))
  const refuse = (reason: string) =>
    new CliError('The file cannot be written there.', {
      exitCode: EXIT.usage,
      code: 'bad_path',
      facts: { file, reason },
      next: 'Give a file in a folder that exists and that you may write to.',
    })
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) throw refuse('it is a folder')
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw refuse(`there is no folder ${folder}`)
  try {
    accessSync(folder, constants.W_OK)
  } catch {
    throw refuse(`nothing may be written in ${folder}`)
  }
}
