import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A process that cannot be confused with a later one that got the same number. */
export type ProcessIdentity = { pid: number; startedAt: string }

/**
 * When a process started, in whatever words the system has for it; undefined if no such process runs. Process numbers
 * are reused, so a number alone must never be signalled.
 */
function startTimeOf(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  if (process.platform === 'linux') {
    try {
      // proc(5): the command (field 2) may hold spaces and brackets, so fields are counted behind its last bracket.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const [state] = fields
      return state === 'Z' || state === 'X' ? undefined : fields[19]
    } catch {
      return undefined
    }
  }
  return ps(pid, 'lstart=')
}

function ps(pid: number, column: string): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', column, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    return text === '' ? undefined : text
  } catch {
    return undefined
  }
}

/** Command line of a running process, its words joined by spaces. */
export function commandOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return ps(pid, 'args=')
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return undefined
  }
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const startedAt = startTimeOf(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return startTimeOf(identity.pid) === identity.startedAt
}

/** Reads an identity out of parsed JSON; undefined where it is not one. */
export function identityFrom(value: unknown): ProcessIdentity | undefined {
  const { pid, startedAt } = (value ?? {}) as { pid?: unknown; startedAt?: unknown }
  return typeof pid === 'number' && typeof startedAt === 'string' ? { pid, startedAt } : undefined
}

/** Identity written by `JSON.stringify`; undefined where the file is missing or holds something else. */
export function readIdentity(file: string): ProcessIdentity | undefined {
  try {
    return identityFrom(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return undefined
  }
}

/** Waits until the process is gone; false if it outlives the deadline. */
export async function waitForExit(identity: ProcessIdentity, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds
  while (isAlive(identity)) {
    if (Date.now() >= deadline) return false
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return true
}

/** Asks a process to end, and ends it if it does not. Does nothing if it is another process by now. */
export async function endProcess(identity: ProcessIdentity, graceMilliseconds: number): Promise<void> {
  if (!signal(identity, 'SIGTERM')) return
  if (await waitForExit(identity, graceMilliseconds)) return
  signal(identity, 'SIGKILL')
  await waitForExit(identity, 2000)
}

function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false
  try {
    return process.kill(identity.pid, name)
  } catch {
    return false
  }
}
