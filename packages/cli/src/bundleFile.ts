import { type Bundle, encodeBundle } from '@assay/protocol'
import type { Wait } from '@assay/sdk'
import { CliError, EXIT } from './cliError.ts'
import { writeFileAtomic } from './up/writeFileAtomic.ts'
import { mustBeWritable } from './userFile.ts'

/**
 * How long a call waits behind its answer, with `--save` until the bundle proves the end of it. What is wrong with the two
 * is found out here, before anything is paid. @throws CliError
 */
export function waitFor({ wait, save }: { wait?: Wait | undefined; save?: string | undefined }): Wait {
  if (save === undefined) return wait ?? 'settled'
  mustBeWritable(save)
  if (wait !== 'answer') return wait ?? 'final'
  throw new CliError(
    'A bundle that is saved right behind the answer proves no batch: it would never verify.',
    {
      exitCode: EXIT.usage,
      code: 'usage',
      next: 'Leave --wait away, or say --wait settled or --wait final.',
    },
  )
}

export function saveBundle(file: string, bundle: Bundle): void {
  writeFileAtomic(file, encodeBundle(bundle))
}
