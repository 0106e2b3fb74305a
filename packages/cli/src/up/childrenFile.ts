import { readFileSync } from 'node:fs'
import { endProcess, identityFrom, isAlive, type ProcessIdentity } from '@assay/chain'
import { writeFileAtomic } from './writeFileAtomic.ts'

/** Records what `up` started, so that whoever comes after a kill -9 can end it. */
export function recordChildren(file: string, children: readonly ProcessIdentity[]): void {
  writeFileAtomic(file, JSON.stringify(children))
}

/** Ends processes of an earlier run that are still there; returns how many there were. */
export async function reapChildren(file: string): Promise<number> {
  const left = readChildren(file).filter(isAlive)
  await Promise.all(left.map((identity) => endProcess(identity, 5000)))
  return left.length
}

function readChildren(file: string): ProcessIdentity[] {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return Array.isArray(value) ? value.slice(0, 64).flatMap((entry) => identityFrom(entry) ?? []) : []
  } catch {
    return []
  }
}
