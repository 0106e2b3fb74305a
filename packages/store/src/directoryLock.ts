import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AssayError } from '@assay/protocol'

const FILE = 'owner.lock'
/** A take-over lasts microseconds; an older marker was left by a process that died inside one. */
const TAKE_OVER_STALE_MS = 10_000

type Owner = { pid: number; started: string }

/**
 * When a process started, in a form that no other process with the same pid shares (the boot id is part of it, since
 * pids and ticks repeat after a reboot). Undefined if there is no such process.
 */
function startOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // proc(5): field 22 is the start time; the name (field 2) may hold spaces, so count from its closing bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie holds no files: it is dead to us.
    if (fields[0] === 'Z') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`
  } catch {
    try {
      return (
        execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
      )
    } catch {
      return undefined
    }
  }
}

function readOwner(path: string): Owner | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner>
    if (typeof value.pid === 'number' && typeof value.started === 'string') return value as Owner
  } catch {
    // Absent, or not ours: either way nobody can be shown to hold it.
  }
  return undefined
}

function claim(path: string): boolean {
  // The content is complete before the name exists, so that no reader ever sees half a lock.
  const draft = `${path}.${randomUUID()}`
  writeFileSync(draft, JSON.stringify({ pid: process.pid, started: startOf(process.pid) ?? 'unknown' }))
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(draft)
  }
}

/** Only one process at a time may judge a lock stale and replace it. */
function takeOver(path: string): boolean {
  const marker = `${path}.takeover`
  try {
    writeFileSync(marker, String(process.pid), { flag: 'wx' })
  } catch {
    try {
      if (Date.now() - statSync(marker).mtimeMs > TAKE_OVER_STALE_MS) rmSync(marker, { force: true })
    } catch {
      // It went away by itself.
    }
    return false
  }
  try {
    const owner = readOwner(path)
    if (owner !== undefined && startOf(owner.pid) === owner.started) return false
    rmSync(path, { force: true })
    return claim(path)
  } finally {
    rmSync(marker, { force: true })
  }
}

/**
 * Makes this process the only one that works in `directory`, and returns the release. A lock left by a process that is
 * gone (kill -9, reboot) is taken over.
 * @throws AssayError `conflict` while another process, or this one, holds it.
 */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, FILE)
  for (let attempt = 0; attempt < 5; attempt++) {
    if (claim(path)) return () => rmSync(path, { force: true })
    const owner = readOwner(path)
    if (owner !== undefined && startOf(owner.pid) === owner.started) {
      throw new AssayError('Another process works in this data directory.', {
        code: 'conflict',
        facts: { directory, pid: owner.pid },
        next: 'stop that process, or give this one a data directory of its own',
      })
    }
    if (takeOver(path)) return () => rmSync(path, { force: true })
  }
  throw new AssayError('The lock of the data directory could not be taken.', {
    code: 'conflict',
    facts: { path },
    next: `another process is taking it at this moment; try again, or remove ${path}.takeover if none is`,
  })
}
