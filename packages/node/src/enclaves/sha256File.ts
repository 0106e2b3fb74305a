import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** SHA-256 of a file, read in pieces so that its size never matters. Lower-case 0x hex. */
export async function sha256File(path: string): Promise<`0x${string}`> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer)
  return `0x${hash.digest('hex')}`
}
