import { closeSync, existsSync, fsync, mkdirSync, openSync, readFileSync, write } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { AssayError } from '@assay/protocol'
import type { Hex } from 'viem'
import { syncFolder, writeDurably } from '../durableFile.ts'

const fsyncFile = promisify(fsync)
const writeFile = promisify(write)

/** Largest transaction that is kept, bytes. */
const MAX_RECORD_BYTES = 2 * 1024 * 1024
/** A journal beyond this takes no more transactions until a snapshot has shortened it, bytes. */
const MAX_JOURNAL_BYTES = 128 * 1024 * 1024
const HASH_BYTES = 32
const HEAD_BYTES = 8

export type JournalEntry = { hash: Hex; raw: Hex }

/**
 * Write-ahead journal of accepted transactions: `length u32 ‖ crc32 u32 ‖ hash ‖ raw`, appended and flushed before the
 * sender is told. A torn tail is dropped on opening: its sender was never told.
 */
export type Journal = {
  entries(): JournalEntry[]
  bytes(): number
  /** Durable when it resolves. Many callers share one flush. @throws AssayError `conflict` when full */
  append(entry: JournalEntry): Promise<void>
  /** Forgets entries that snapshots cover. */
  drop(hashes: ReadonlySet<Hex>): Promise<void>
  close(): Promise<void>
}

export function openJournal(folder: string): Journal {
  const file = path.join(folder, 'transactions.log')
  mkdirSync(folder, { recursive: true })
  const entries = new Map<Hex, Buffer>()
  if (existsSync(file))
    for (const { hash, record } of readRecords(readFileSync(file))) entries.set(hash, record)
  // Rewritten at once, so that a torn tail never stands in the middle.
  writeDurably(file, Buffer.concat([...entries.values()]))
  let descriptor = openSync(file, 'a', 0o600)
  syncFolder(folder)
  let bytes = sizeOf(entries)
  let waiting: { record: Buffer; resolve(): void; reject(error: unknown): void }[] = []
  // Everything that touches the file stands in this one line.
  let line: Promise<void> = Promise.resolve()
  let scheduled = false

  async function flush(): Promise<void> {
    const group = waiting
    waiting = []
    scheduled = false
    try {
      const joined = Buffer.concat(group.map((entry) => entry.record))
      for (let at = 0; at < joined.length; ) at += (await writeFile(descriptor, joined, at)).bytesWritten
      await fsyncFile(descriptor)
      for (const entry of group) entry.resolve()
    } catch (error) {
      for (const entry of group) entry.reject(error)
    }
  }

  return {
    entries: () => [...entries].map(([hash, record]) => ({ hash, raw: rawOf(record) })),
    bytes: () => bytes,
    append({ hash, raw }) {
      if (entries.has(hash)) return line
      const record = recordOf(hash, raw)
      if (bytes + record.length > MAX_JOURNAL_BYTES) {
        return Promise.reject(
          new AssayError('Too many transactions wait for a snapshot.', {
            code: 'conflict',
            facts: { bytes, limit: MAX_JOURNAL_BYTES },
            next: 'Send again in a few seconds.',
          }),
        )
      }
      entries.set(hash, record)
      bytes += record.length
      return new Promise((resolve, reject) => {
        waiting.push({ record, resolve, reject })
        if (scheduled) return
        scheduled = true
        line = line.then(flush)
      })
    },
    drop(hashes) {
      const task = line.then(() => {
        for (const hash of hashes) entries.delete(hash)
        bytes = sizeOf(entries)
        // Entries still waiting for their flush are written twice; the second record is the same and harmless.
        writeDurably(file, Buffer.concat([...entries.values()]))
        closeSync(descriptor)
        descriptor = openSync(file, 'a', 0o600)
      })
      line = task.catch(() => undefined)
      return task
    },
    async close() {
      await line
      closeSync(descriptor)
    },
  }
}

function sizeOf(entries: ReadonlyMap<Hex, Buffer>): number {
  let size = 0
  for (const record of entries.values()) size += record.length
  return size
}

function recordOf(hash: Hex, raw: Hex): Buffer {
  const payload = Buffer.concat([Buffer.from(hash.slice(2), 'hex'), Buffer.from(raw.slice(2), 'hex')])
  const record = Buffer.alloc(HEAD_BYTES + payload.length)
  record.writeUInt32BE(payload.length, 0)
  record.writeUInt32BE(crc32(payload), 4)
  payload.copy(record, HEAD_BYTES)
  return record
}

function rawOf(record: Buffer): Hex {
  return `0x${record.toString('hex', HEAD_BYTES + HASH_BYTES)}`
}

/** Whole records from the start; stops at the first one that is torn. */
function readRecords(content: Buffer): { hash: Hex; record: Buffer }[] {
  const records: { hash: Hex; record: Buffer }[] = []
  for (let at = 0; at + HEAD_BYTES <= content.length; ) {
    const length = content.readUInt32BE(at)
    const end = at + HEAD_BYTES + length
    if (length <= HASH_BYTES || length > MAX_RECORD_BYTES + HASH_BYTES || end > content.length) break
    const payload = content.subarray(at + HEAD_BYTES, end)
    if (crc32(payload) !== content.readUInt32BE(at + 4)) break
    records.push({
      hash: `0x${payload.toString('hex', 0, HASH_BYTES)}`,
      record: Buffer.from(content.subarray(at, end)),
    })
    at = end
  }
  return records
}
