import { createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export type DownloadParameters = {
  url: string
  /** File that grows; what it holds from an interrupted attempt is continued with an HTTP Range. */
  partial: string
  /** Expected size, bytes: more than that is refused while it arrives. */
  bytes: number
  onBytes: (done: number) => void
  /** Longest silence before the attempt is given up, ms. */
  idleMs?: number | undefined
}

/** Fetches `url` into `partial`, continuing an earlier attempt. @throws Error with a reason a reader understands */
export async function download(parameters: DownloadParameters): Promise<void> {
  const { url, partial, bytes, onBytes, idleMs = 15_000 } = parameters
  let have = await stat(partial).then(
    (found) => found.size,
    () => 0,
  )
  if (have > bytes) {
    await rm(partial)
    have = 0
  }
  if (have === bytes) return

  const idle = new AbortController()
  let timer = setTimeout(() => idle.abort(), idleMs)
  const alive = () => {
    clearTimeout(timer)
    timer = setTimeout(() => idle.abort(), idleMs)
  }
  try {
    const response = await fetch(url, {
      signal: idle.signal,
      headers: have > 0 ? { range: `bytes=${have}-` } : {},
    })
    if (response.status === 200) {
      have = 0 // the server ignored the range: start over
    } else if (response.status === 206) {
      // RFC 9110 §14.4: a part that starts elsewhere would be glued into garbage.
      const range = response.headers.get('content-range') ?? ''
      if (!range.startsWith(`bytes ${have}-`)) {
        await response.body?.cancel()
        throw new Error(`the server sent another range (${range})`)
      }
    } else {
      await response.body?.cancel()
      throw new Error(`HTTP ${response.status}`)
    }
    if (response.body === null) throw new Error('the answer has no body')
    let done = have
    await pipeline(
      Readable.fromWeb(response.body),
      async function* (pieces: AsyncIterable<Uint8Array>) {
        for await (const piece of pieces) {
          alive()
          done += piece.length
          if (done > bytes) throw new Error(`it is larger than the ${bytes} bytes expected`)
          onBytes(done)
          yield piece
        }
      },
      createWriteStream(partial, { flags: have > 0 ? 'a' : 'w' }),
    )
    if (done !== bytes) throw new Error(`it ended after ${done} of ${bytes} bytes`)
  } catch (error) {
    if (idle.signal.aborted) throw new Error(`no data for ${idleMs / 1000} s`)
    throw new Error(describe(error))
  } finally {
    clearTimeout(timer)
  }
}

/** `fetch` hides the reason ("ENOTFOUND", "ECONNREFUSED") in a cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? ` (${error.cause.message || 'connection failed'})` : ''
  return `${error.message}${cause}`
}
