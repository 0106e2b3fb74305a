import {
  closeSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { AssayError } from '@assay/protocol'

const NAME = /^(\d{16})\.log$/
const ZEROS = Buffer.alloc(256 * 1024)

/**
 * Entries that were written together: one line of a segment, whole or not there.
 * `synced` is the last entry that was known to be on the disk by then. Lines between two syncs reach the disk in any
 * order, so after a loss of power a good line may stand behind a bad one; that is damage only where the bad one had been
 * on the disk already.
 */
export type Group<Entry> = { first: number; synced: number; entries: Entry[] }

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

/**
 * One append-only file of lines `crc32 json`, named for a number that none of its entries is below. It is filled with
 * zeros when it is made: a write that makes a file longer has to be synced together with the file system's own journal and
 * whatever else waits there (of PGlite's files, megabytes); one inside a file takes the disk alone.
 */
export type Segment = {
  /** Bytes that were written. */
  readonly length: number
  /**
   * Hands a line to the operating system, so that only a loss of power can take it away.
   * @throws where it does not take it; the file is then as it was before
   */
  write(json: string): void
  /**
   * Resolves when all lines that were written before have reached the disk.
   * @throws where they have not; every line after the last sync is then taken back, those written meanwhile too
   */
  sync(): Promise<void>
  /** Takes every line after the last sync back. */
  takeBack(): void
  /** Closes the file and removes it, once the database holds all that is in it. */
  remove(): void
}

const lineOf = (json: string) => `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`

/** Creates an empty segment of `size` bytes; it and its name are on the disk when this resolves. */
export async function createSegment(
  folder: string,
  first: number,
  size: number,
  disk: Disk = DISK,
): Promise<Segment> {
  const path = join(folder, `${String(first).padStart(16, '0')}.log`)
  const file = await open(path, 'w')
  try {
    for (let at = 0; at < size; at += ZEROS.length) {
      await file.write(ZEROS, 0, Math.min(ZEROS.length, size - at), at)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  syncFolder(folder)
  const fd = openSync(path, 'r+')
  let length = 0
  let synced = 0
  let broken: unknown
  /** Half a line must not stand before the next one. Where even that fails nothing more is promised. */
  function takeBack(to: number): void {
    length = to
    try {
      disk.truncate(fd, to)
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
        takeBack(length)
        throw error
      }
    },
    async sync() {
      if (broken !== undefined) throw broken
      const upTo = length
      try {
        await disk.sync(fd)
        synced = upTo
      } catch (error) {
        takeBack(synced)
        throw error
      }
    },
    takeBack: () => takeBack(synced),
    remove() {
      closeSync(fd)
      rmSync(path, { force: true })
    },
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Paths of the segments, oldest first. */
export function segmentPaths(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => NAME.test(name))
  return names.sort().map((name) => join(folder, name))
}

/**
 * The groups of a segment, up to the first line that is not whole: that one, and whatever stands behind it, was never
 * acknowledged, unless a line behind it says that it had been on the disk; then the file is damaged.
 * @throws AssayError `config`
 */
export function readSegment<Entry>(path: string, decode: (json: string) => Group<Entry>): Group<Entry>[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  const read = (line: string): Group<Entry> | undefined => {
    const json = line.slice(9)
    return json !== '' && line === lineOf(json).slice(0, -1) ? decode(json) : undefined
  }
  const groups: Group<Entry>[] = []
  let last = Number(NAME.exec(basename(path))?.[1]) - 1
  for (const [at, line] of lines.entries()) {
    const group = read(line)
    if (group === undefined) {
      if (!lines.slice(at + 1).some((later) => (read(later)?.synced ?? 0) > last)) break
      throw new AssayError('The journal of the embedded database is damaged in its middle.', {
        code: 'config',
        facts: { path, line: at + 1 },
        next: 'check the disk, and restore the data directory from a copy',
      })
    }
    groups.push(group)
    last = group.first + group.entries.length - 1
  }
  return groups
}
