import { readFileSync, statSync } from 'node:fs'
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
