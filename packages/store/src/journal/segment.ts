import {
  closeSync,
  fdatasync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { AssayError } from '@assay/protocol'

const NAME = /^(\d{16})\.log$/

/** Entries that were written together: one line of a segment, whole or not there. `first` is the number of the first. */
export type Group<Entry> = { first: number; entries: Entry[] }

/** What a segment asks of the operating system; tests put a disk that fails in its place. */
export type Disk = {
  write(fd: number, bytes: Uint8Array, position: number): number
  sync(fd: number): Promise<void>
  truncate(fd: number, length: number): void
}
export const DISK: Disk = {
  write: (fd, bytes, position) => writeSync(fd, bytes, 0, bytes.length, position),
  sync: promisify(fdatasync),
  truncate: ftruncateSync,
}

/** One append-only file of lines `crc32 json`, named for a number that none of its entries is below. */
export type Segment = {
  /** Bytes that were written. */
  readonly length: number
  /**
   * Hands a line to the operating system, so that only a loss of power can take it away.
   * @throws where it does not take it; the file is then as it was before
   */
  write(json: string): void
  /** Asks for the disk to have what was written. It does or does not: nothing waits for it, or rests on it. */
  sync(): void
  /** Closes the file and removes it, once the database holds all that is in it. */
  remove(): void
}

const lineOf = (json: string) => `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`

/** Creates an empty segment. @throws where the file system has no room for it */
export function createSegment(folder: string, first: number, disk: Disk): Segment {
  const path = join(folder, `${String(first).padStart(16, '0')}.log`)
  const fd = openSync(path, 'w')
  let length = 0
  let broken: unknown
  let syncing: Promise<void> | undefined
  /** Half a line must not stand before the next one. Where even that fails nothing more is promised. */
  function takeBack(): void {
    try {
      disk.truncate(fd, length)
    } catch (error) {
      broken = error
    }
  }
  return {
    get length() {
      return length
    },
    write(json) {
      if (broken !== undefined) throw broken
      const line = Buffer.from(lineOf(json))
      try {
        if (disk.write(fd, line, length) !== line.length) {
          throw new Error('The disk took a part of the journal only.')
        }
        length += line.length
      } catch (error) {
        takeBack()
        throw error
      }
    },
    sync() {
      syncing ??= disk
        .sync(fd)
        .catch(() => {})
        .finally(() => {
          syncing = undefined
        })
    },
    remove() {
      // Not under a sync: the number of a closed file may be another's by then.
      if (syncing === undefined) closeSync(fd)
      else void syncing.then(() => closeSync(fd))
      rmSync(path, { force: true })
    },
  }
}

/** Paths of the segments, oldest first. */
export function segmentPaths(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => NAME.test(name))
  return names.sort().map((name) => join(folder, name))
}

/**
 * The groups of a segment. A line at its end that is not whole was never acknowledged; one before others that are whole
 * was.
 * @throws AssayError `config` where such a one is damaged
 */
export function readSegment<Entry>(path: string, decode: (json: string) => Group<Entry>): Group<Entry>[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  const isWhole = (line: string): boolean => line.length > 9 && line === lineOf(line.slice(9)).slice(0, -1)
  const cut = lines.findIndex((line) => !isWhole(line))
  const end = cut === -1 ? lines.length : cut
  if (lines.slice(end).some(isWhole)) {
    throw new AssayError('The journal of the embedded database is damaged in its middle.', {
      code: 'config',
      facts: { path, line: end + 1 },
      next: 'check the disk, and restore the data directory from a copy',
    })
  }
  return lines.slice(0, end).map((line) => decode(line.slice(9)))
}
