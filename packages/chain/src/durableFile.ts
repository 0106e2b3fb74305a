import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'

/**
 * Replaces a file so that a crash at any moment leaves the old content or the new one, never a mixture: written aside,
 * flushed to the disk, renamed over. Mode 0600, for files here may hold development keys.
 */
export function writeDurably(file: string, content: Uint8Array | string): void {
  mkdirSync(path.dirname(file), { recursive: true })
  const aside = `${file}.${process.pid}.tmp`
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const descriptor = openSync(aside, 'w', 0o600)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
    fsyncSync(descriptor)
  } catch (error) {
    closeSync(descriptor)
    rmSync(aside, { force: true })
    throw error
  }
  closeSync(descriptor)
  renameSync(aside, file)
  syncFolder(path.dirname(file))
}

/** Makes a rename or a new name in the folder durable. Windows cannot open folders and does not need it. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
