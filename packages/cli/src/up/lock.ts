import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { identityFrom, identityOf, isAlive, type ProcessIdentity } from '@assay/chain'
import { CliError, EXIT } from '../cliError.ts'

/**
 * One `up` per home: PGlite and the chain's state have no lock of their own that would survive a kill. The file names
 * the process that holds it; a holder that is gone loses it.
 * @param taken what to say where somebody else holds it
 */
export function acquireLock(
  file: string,
  taken: (holder: ProcessIdentity | undefined) => CliError = alreadyRunning,
): { release(): void } {
  const own = identityOf(process.pid)
  if (own === undefined) throw new Error('unreachable: this process runs')
  const text = JSON.stringify(own)
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      writeFileSync(file, text, { flag: 'wx', mode: 0o600 })
      return { release: () => releaseLock(file, text) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = lockHolder(file)
    if (holder !== undefined) throw taken(holder)
    removeStale(file)
  }
  throw taken(undefined)
}

/** @throws CliError where the network runs: for whoever would touch what is its before the lock is taken */
export function mustNotRun(file: string): void {
  const holder = lockHolder(file)
  if (holder !== undefined) throw alreadyRunning(holder)
}

/** The live process that holds the lock, if there is one. */
export function lockHolder(file: string): ProcessIdentity | undefined {
  const holder = parseHolder(readOrUndefined(file))
  return holder !== undefined && isAlive(holder) ? holder : undefined
}

function parseHolder(text: string | undefined): ProcessIdentity | undefined {
  try {
    return identityFrom(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}

function readOrUndefined(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/**
 * Takes a dead holder's file out of the way. Two starters may both have found it dead: the one that moves the other's
 * fresh file by mistake sees that in what it moved, and puts it back.
 */
function removeStale(file: string): void {
  const aside = `${file}.${process.pid}.tmp`
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  const holder = parseHolder(readOrUndefined(aside))
  try {
    if (holder !== undefined && isAlive(holder)) linkSync(aside, file)
  } finally {
    rmSync(aside, { force: true })
  }
}

function releaseLock(file: string, text: string): void {
  if (readOrUndefined(file) === text) rmSync(file, { force: true })
}

function alreadyRunning(holder: ProcessIdentity | undefined): CliError {
  return new CliError('The network is already running from this folder.', {
    exitCode: EXIT.failed,
    code: 'already_running',
    facts: holder === undefined ? {} : { pid: holder.pid },
    next: 'Stop it with: assay down   (or give this one another ASSAY_HOME and other ports)',
  })
}
