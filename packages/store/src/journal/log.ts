import { decode, type Entry, encode, type Numbered } from './entries.ts'
import { createSegment, type Disk, readSegment, type Segment, segmentPaths } from './segment.ts'

/** A segment of this size makes room for the next, bytes. */
const SEGMENT_BYTES = 4 * 1024 * 1024

export type LogParameters = {
  folder: string
  /** Number of the first entry that will be written. */
  next: number
  disk: Disk
  /** Takes what a sync has covered, in order, before anybody hears of it. */
  onDurable(items: readonly Numbered[]): void
  /** Takes an entry that the disk did not take, before anybody hears of it. */
  onLost(entry: Entry): void
}

/** The entries in their files. */
export type Log = {
  /** Writes that no sync has covered. */
  readonly unsynced: number
  /**
   * Writes entries in one line, whole or not at all. Resolves when they are durable; they are with the operating system
   * when this returns. @throws where they are not
   */
  write(entries: readonly Entry[]): Promise<void>
  /** Has what was written reach the disk; resolves when it did, or did not. */
  sync(): Promise<void>
  /** The same within so many milliseconds. */
  syncWithin(milliseconds: number): void
  /** Removes the files of which the database holds all, up to this entry. */
  forget(applied: number): void
  /** Removes them all. */
  close(): Promise<void>
}

/** What an earlier process left in the folder, in order. @throws AssayError `config` where it is damaged */
export function readLog(folder: string): { paths: string[]; entries: Numbered[] } {
  const paths = segmentPaths(folder)
  const entries = paths
    .flatMap((path) => readSegment(path, decode))
    .flatMap(({ first, entries }) => entries.map((entry, at) => ({ seq: first + at, entry })))
  return { paths, entries }
}

export async function createLog({ folder, disk, onDurable, onLost, ...from }: LogParameters): Promise<Log> {
  type Unsynced = { items: Numbered[]; resolve(): void; reject(error: unknown): void }
  let next = from.next
  /** The last entry that is known to be on the disk. */
  let synced = next - 1
  let unsynced: Unsynced[] = []

  const newSegment = () => createSegment(folder, next, SEGMENT_BYTES, disk)
  let segment = await newSegment()
  /** Segments that are full, with their last entries; each goes when the database holds all of it. */
  let full: { segment: Segment; last: number }[] = []
  let spare: Segment | undefined
  let making: Promise<void> | undefined

  let wanted = false
  let syncing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  function sync(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    wanted = true
    syncing ??= syncAll()
    return syncing
  }
  /** One sync covers all that was written before it begins; what is written meanwhile waits for the next. */
  async function syncAll(): Promise<void> {
    while (wanted) {
      wanted = false
      const covered = unsynced
      unsynced = []
      const written = segment
      changeSegment()
      try {
        await written.sync()
        const durable = covered.flatMap(({ items }) => items)
        synced = durable.at(-1)?.seq ?? synced
        onDurable(durable)
        for (const { resolve } of covered) resolve()
      } catch (error) {
        // What was written meanwhile may rest on what is lost, as a receipt does on its claim.
        if (segment !== written) segment.takeBack()
        for (const { items, reject } of [...covered, ...unsynced.splice(0)]) {
          for (const { entry } of items) onLost(entry)
          reject(error)
        }
      }
    }
    // Here and not in a promise's callback: who asks between the loop's end and that would wait for ever.
    syncing = undefined
  }
  /** Makes the next segment before it is needed, and goes over to it between two syncs. */
  function changeSegment(): void {
    if (segment.length >= SEGMENT_BYTES && spare !== undefined) {
      full.push({ segment, last: next - 1 })
      segment = spare
      spare = undefined
    } else if (segment.length >= SEGMENT_BYTES / 2 && spare === undefined) {
      // Without one the old segment grows longer; the next look tries again.
      making ??= newSegment()
        .then(
          (made) => {
            spare = made
          },
          () => {},
        )
        .finally(() => {
          making = undefined
        })
    }
  }

  return {
    get unsynced() {
      return unsynced.length
    },
    write(entries) {
      segment.write(encode({ first: next, synced, entries: [...entries] }))
      const items = entries.map((entry) => ({ seq: next++, entry }))
      return new Promise((resolve, reject) => unsynced.push({ items, resolve, reject }))
    },
    sync,
    syncWithin(milliseconds) {
      timer ??= setTimeout(sync, milliseconds)
    },
    forget(applied) {
      for (const { segment: old } of full.filter(({ last }) => last <= applied)) old.remove()
      full = full.filter(({ last }) => last > applied)
    },
    async close() {
      await making
      spare?.remove()
      segment.remove()
    },
  }
}
