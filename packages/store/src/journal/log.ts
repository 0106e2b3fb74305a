import { decode, type Entry, encode, type Numbered } from './entries.ts'
import { createSegment, type Disk, readSegment, type Segment, segmentPaths } from './segment.ts'

/** A segment of this size makes room for the next, bytes. */
const SEGMENT_BYTES = 4 * 1024 * 1024
/** After which the disk is asked to have what was written, milliseconds. */
const SYNC_AFTER_MS = 50

/** The entries in their files. */
export type Log = {
  /**
   * Hands an entry to the operating system, whole or not at all, and numbers it. The disk follows within a
   * moment, and nobody waits for it: the database behind cannot.
   * @throws where it does not take it
   */
  write(entry: Entry): Numbered
  /** Removes the files of which the database holds all, up to this entry. */
  forget(applied: number): void
  /** Removes them all. */
  close(): void
}

/** What an earlier process left in the folder, in order. @throws AssayError `config` where it is damaged */
export function readLog(folder: string): { paths: string[]; entries: Numbered[] } {
  const paths = segmentPaths(folder)
  const entries = paths
    .flatMap((path) => readSegment(path, decode))
    .flatMap(({ first, entries }) => entries.map((entry, at) => ({ seq: first + at, entry })))
  return { paths, entries }
}

/** @param from number of the first entry that will be written */
export function createLog(folder: string, from: number, disk: Disk): Log {
  let next = from
  let segment = createSegment(folder, next, disk)
  /** Segments that are full, with their last entries; each goes when the database holds all of it. */
  let full: { segment: Segment; last: number }[] = []
  let timer: NodeJS.Timeout | undefined

  function syncSoon(): void {
    timer ??= setTimeout(() => {
      timer = undefined
      segment.sync()
    }, SYNC_AFTER_MS).unref()
  }
  function changeSegment(): void {
    let made: Segment
    try {
      made = createSegment(folder, next, disk)
    } catch {
      // The old one grows longer; the next line tries again.
      return
    }
    segment.sync()
    full.push({ segment, last: next - 1 })
    segment = made
  }

  return {
    write(entry) {
      if (segment.length >= SEGMENT_BYTES) changeSegment()
      segment.write(encode({ first: next, entries: [entry] }))
      syncSoon()
      return { seq: next++, entry }
    },
    forget(applied) {
      for (const { segment: old } of full.filter(({ last }) => last <= applied)) old.remove()
      full = full.filter(({ last }) => last > applied)
    },
    close() {
      clearTimeout(timer)
      for (const { segment: old } of full) old.remove()
      segment.remove()
    },
  }
}
