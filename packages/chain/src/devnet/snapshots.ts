import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { crc32, gunzip as gunzipCallback } from 'node:zlib'
import { writeDurably } from '../durableFile.ts'

const gunzip = promisify(gunzipCallback)

/** First line of a snapshot file; the zipped state follows it. */
export type SnapshotHeader = {
  format: 'assay-snapshot/1'
  chainId: number
  /** Newest block inside. */
  block: number
  blockHash: string
  /** Length and CRC-32 of the zipped state: against damage, not against malice. */
  bytes: number
  crc32: number
}
export type Snapshot = { header: SnapshotHeader; state: Buffer }

const KEEP = 3
const MAX_HEADER_BYTES = 1024
/** Largest unzipped state, bytes. */
const MAX_STATE_BYTES = 1024 * 1024 * 1024
/** States up to this size are parsed as JSON before they are trusted; larger ones by their ends and their block number. */
const PARSE_LIMIT_BYTES = 16 * 1024 * 1024

/** Names of the snapshot files in a folder, newest first. */
export function snapshotFiles(folder: string): string[] {
  mkdirSync(folder, { recursive: true })
  return readdirSync(folder)
    .filter((name) => /^snapshot-[0-9]{12}\.bin$/.test(name))
    .sort()
    .reverse()
    .map((name) => path.join(folder, name))
}

/** Unzips a state dump; undefined where it is torn or not the state of a chain at `block` or later. */
export async function unzipState(zipped: Uint8Array, block: number): Promise<Buffer | undefined> {
  try {
    const state = await gunzip(zipped, { maxOutputLength: MAX_STATE_BYTES })
    if (state.length <= PARSE_LIMIT_BYTES) {
      const parsed = JSON.parse(state.toString('utf8')) as Record<string, unknown>
      if (!Array.isArray(parsed.blocks) || typeof parsed.accounts !== 'object') return undefined
      return Number(parsed.best_block_number) >= block ? state : undefined
    }
    if (state[0] !== 0x7b || state.at(-1) !== 0x7d) return undefined
    const at = state.indexOf('"best_block_number":')
    const best = /^"best_block_number":"?(0x[0-9a-f]+|[0-9]+)/.exec(state.toString('latin1', at, at + 60))
    return at >= 0 && best !== null && Number(best[1]) >= block ? state : undefined
  } catch {
    return undefined
  }
}

/** Writes a snapshot durably, then removes all but the newest few. */
export function saveSnapshot(
  folder: string,
  header: Omit<SnapshotHeader, 'format' | 'bytes' | 'crc32'>,
  zipped: Buffer,
): void {
  const newest = snapshotFiles(folder)[0]
  const sequence = newest === undefined ? 1 : Number(/([0-9]{12})\.bin$/.exec(newest)?.[1]) + 1
  const full: SnapshotHeader = {
    format: 'assay-snapshot/1',
    ...header,
    bytes: zipped.length,
    crc32: crc32(zipped),
  }
  const file = path.join(folder, `snapshot-${String(sequence).padStart(12, '0')}.bin`)
  writeDurably(file, Buffer.concat([Buffer.from(`${JSON.stringify(full)}\n`), zipped]))
  for (const old of snapshotFiles(folder).slice(KEEP)) rmSync(old, { force: true })
}

/** Reads and checks a snapshot; undefined where any byte of it is wrong. */
export async function readSnapshot(file: string): Promise<Snapshot | undefined> {
  try {
    const content = readFileSync(file)
    const end = content.subarray(0, MAX_HEADER_BYTES).indexOf(0x0a)
    const header = JSON.parse(content.toString('utf8', 0, end)) as SnapshotHeader
    const zipped = content.subarray(end + 1)
    if (header.format !== 'assay-snapshot/1' || header.bytes !== zipped.length) return undefined
    if (crc32(zipped) !== header.crc32) return undefined
    const state = await unzipState(zipped, header.block)
    return state === undefined ? undefined : { header, state }
  } catch {
    return undefined
  }
}
