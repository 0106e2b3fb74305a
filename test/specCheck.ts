import { spawnSync } from 'node:child_process'
import path from 'node:path'

/** Exit status of the checker where Python, pip or its two libraries are not to be had. */
const UNAVAILABLE = 3

export type SpecCheckResult = {
  status: number
  output: string /** Why it could not run here. */
  skip: string | false
}

/** Runs the Python checker that was written from docs/spec.md alone. */
export function specCheck(...given: string[]): SpecCheckResult {
  const script = path.resolve(import.meta.dirname, '..', 'scripts', 'spec-check', 'run.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...given], { encoding: 'utf8' })
  const output = stdout + stderr
  const skip = status === UNAVAILABLE && `the checker cannot run here: ${output.split('\n')[0]}`
  return { status: status ?? 1, output, skip }
}
