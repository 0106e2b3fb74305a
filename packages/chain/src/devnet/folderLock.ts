import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AssayError } from '@assay/protocol'
import { identityOf, isAlive, readIdentity } from '../processIdentity.ts'

/**
 * One devnet per folder: two would overwrite each other's snapshots. A holder that is gone loses the lock.
 * @throws AssayError `conflict`
 */
export function lockFolder(folder: string): { release(): void } {
  const file = path.join(folder, 'devnet.lock')
  const text = JSON.stringify(identityOf(process.pid))
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(file, text, { flag: 'wx', mode: 0o600 })
      return { release: () => readText(file) === text && rmSync(file, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readIdentity(file)
    if (holder !== undefined && isAlive(holder)) throw alreadyOpen(folder, holder.pid)
    rmSync(file, { force: true })
  }
  throw alreadyOpen(folder, undefined)
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function alreadyOpen(folder: string, pid: number | undefined): AssayError {
  return new AssayError('Another development chain runs from this folder.', {
    code: 'conflict',
    facts: { folder, pid },
    next: 'Stop it first, or give this one another folder and port.',
  })
}
