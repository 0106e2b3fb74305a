import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/**
 * Runs a program that writes until it has acknowledged so much, a line each, then kills it, and before it whatever else is
 * to be killed. @returns the lines
 */
export async function killedAfter(
  count: number,
  program: URL,
  settings: string[],
  kill: () => unknown = () => {},
): Promise<string[]> {
  const child = spawn(process.execPath, [fileURLToPath(program), ...settings], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const acknowledged: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line)
    if (acknowledged.length !== count) continue
    await kill()
    child.kill('SIGKILL')
  }
  await exited
  assert.ok(acknowledged.length >= count, `the writer ended by itself after ${acknowledged.length} lines`)
  return acknowledged
}
