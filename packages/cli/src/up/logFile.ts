import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'

/** A log file and its one predecessor together never take more than twice this, bytes. */
const MAX_LOG_BYTES = 8 * 1024 * 1024

/** An append-only log that starts a new file when it grows too large; the previous one stays as `<name>.1`. */
export function openLog(file: string): { write(chunk: Buffer | string): void; close(): void } {
  mkdirSync(path.dirname(file), { recursive: true })
  rotate(file)
  let descriptor = openSync(file, 'a', 0o600)
  let size = fstatSync(descriptor).size
  let closed = false
  return {
    write(chunk) {
      // A process that just ended may still have output in its pipe.
      if (closed) return
      size += writeSync(descriptor, typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
      if (size < MAX_LOG_BYTES) return
      closeSync(descriptor)
      rotate(file)
      descriptor = openSync(file, 'a', 0o600)
      size = 0
    },
    close() {
      if (closed) return
      closed = true
      closeSync(descriptor)
    },
  }
}

function rotate(file: string): void {
  if (existsSync(file)) renameSync(file, `${file}.1`)
}

/** Last lines of a log, for an error message. */
export function tailOf(file: string, lines: number): string[] {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines)
  } catch {
    return []
  }
}
