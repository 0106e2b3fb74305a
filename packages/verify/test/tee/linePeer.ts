/** A program that answers each line of JSON with one: how verifiers in other languages are asked. */
import type { ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

export type LinePeer = {
  ask(request: unknown): Promise<unknown>
  close(): Promise<void>
}

export function linePeer(child: ChildProcessByStdio<Writable, Readable, null>): LinePeer {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error('the peer has ended')
      return JSON.parse(value)
    },
    async close() {
      child.stdin.end()
      await ended
    },
  }
}
