import { setTimeout as delay } from 'node:timers/promises'

/**
 * Longest wait of a test, milliseconds. It promises nothing of what is waited for: it gives a hang a name before the limit
 * of the whole file ends it without one. What takes a second alone takes many on a machine that has others to serve.
 */
const PATIENCE = 300_000
/** Between two looks, milliseconds: soon again at first, later seldom. */
const [FIRST_REST, LONGEST_REST] = [5, 100]

/**
 * Resolves with what `read` gives once it gives something, asking again until then.
 * @param what is waited for, as it stands when the wait is given up
 * @throws Error that names it, after `patience` milliseconds
 */
export async function until<Value>(
  read: () => Promise<Value | undefined | false> | Value | undefined | false,
  what: () => string = () => 'what must hold in the end',
  patience = PATIENCE,
): Promise<Value> {
  const deadline = performance.now() + patience
  for (let rest = FIRST_REST; ; rest = Math.min(2 * rest, LONGEST_REST)) {
    const value = await read()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadline) throw new Error(`Waited ${patience / 1000} s in vain for ${what()}`)
    await delay(rest)
  }
}
