import { closeSync, fsyncSync, ftruncateSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { AssayError } from '@assay/protocol'

const NAME = /^(\d{16})\.log$/

/** Entries that were appended together: one line of a segment, whole or not there. */
export type Group<Entry> = { first: number; entries: Entry[] }

/** One append-only file of lines `crc32 json`, named for the number of its first entry. */
export type Segment = {
  path: string
  /** Bytes that are known to be good. */
  length: number
  /**
   * Resolves when the line has reached the disk.
   * @param written told before that, when the operating system has it, so that only a loss of power can take it away
   * @throws where it has not; the file is then as it was before
   */
  append(text: string, written: () => void): Promise<void>
  /** Closes the file and removes it, once the database holds all that is in it. */
  remove(): Promise<void>
  close(): Promise<void>
}

const lineOf = (json: string) => `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`

/** Creates an empty segment; its name is on the disk when this resolves. */
export async function createSegment(folder: string, first: number): Promise<Segment> {
  const path = join(folder, `${String(first).padStart(16, '0')}.log`)
  const file: FileHandle = await open(path, 'w')
  syncFolder(folder)
  let broken: unknown
  const segment: Segment = {
    path,
    length: 0,
    async append(json, written) {
      if (broken !== undefined) throw broken
      const line = Buffer.from(lineOf(json))
      try {
        const { bytesWritten } = await file.write(line, 0, line.length, segment.length)
        if (bytesWritten !== line.length) throw new Error('The disk took a part of the journal only.')
        written()
        await file.datasync()
        segment.length += line.length
      } catch (error) {
        // Half a line must not stand before the next one. Where even that fails nothing more is promised.
        try {
          ftruncateSync(file.fd, segment.length)
        } catch {
          broken = error
        }
        throw error
      }
    },
    async remove() {
      await file.close()
      rmSync(path, { force: true })
    },
    close: () => file.close(),
  }
  return segment
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
 * The groups of a segment. A last line that is cut off was never acknowledged and is left out; a bad line before a good
 * one is no crash but damage.
 * @throws AssayError `config`
 */
export function readSegment<Entry>(path: string, decode: (json: string) => Group<Entry>): Group<Entry>[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  const groups: Group<Entry>[] = []
  for (const [at, line] of lines.entries()) {
    const json = line.slice(9)
    if (line === lineOf(json).slice(0, -1)) {
      groups.push(decode(json))
      continue
    }
    const rest = lines.slice(at + 1)
    if (rest.some((later) => later !== '' && later === lineOf(later.slice(9)).slice(0, -1))) {
      throw new AssayError('The journal of the embedded database is damaged in its middle.', {
        code: 'config',
        facts: { path, line: at + 1 },
        next: 'check the disk, and restore the data directory from a copy',
      })
    }
    break
  }
  return groups
}
