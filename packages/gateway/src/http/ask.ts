import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher, Pool } from 'undici'

/** Bytes of an answer that may wait for their reader before their sender has to, per answer. */
const MAX_WAITING_BYTES = 64 * 1024

export type Question = {
  method: 'GET' | 'POST'
  path: string
  /** By name, or names and values in turns. */
  headers?: Record<string, string> | string[]
  body?: Uint8Array | string
  signal?: AbortSignal
}

/** The head of an answer, and its bytes as they come. Who stops reading before their end breaks the exchange off. */
export type Answer = {
  statusCode: number
  headers: IncomingHttpHeaders
  body: AsyncIterable<Uint8Array>
}

/**
 * Asks a server over the connections that a pool keeps open. `pool.request` does the same with a stream of Node's around
 * every answer, which takes as long as all the rest of passing a small one on.
 * @throws whatever the connection ended with, or the reason of the signal; so does reading the body
 */
export function ask(pool: Pool, { signal, ...question }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = new Body()
    const onAbort = (): void => body.controller?.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    pool.dispatch(question, {
      onRequestStart(controller) {
        body.controller = controller
        // A request that waits for its connection cannot be broken off before it begins.
        if (signal?.aborted) onAbort()
      },
      onResponseStart(_, statusCode, headers) {
        if (statusCode >= 200) resolve({ statusCode, headers, body })
      },
      onResponseData: (_, chunk) => body.push(chunk),
      onResponseEnd() {
        signal?.removeEventListener('abort', onAbort)
        body.end()
      },
      onResponseError(_, error) {
        signal?.removeEventListener('abort', onAbort)
        body.end(error)
        reject(error)
      },
    })
  })
}

/** Bytes on their way from a connection to the one who reads them. */
class Body implements AsyncIterable<Uint8Array> {
  controller: Dispatcher.DispatchController | undefined
  #chunks: Uint8Array[] = []
  #waitingBytes = 0
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.controller?.pause()
    this.#wake?.()
  }

  end(error?: Error): void {
    this.#ended = true
    this.#error = error
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        const chunks = this.#chunks
        this.#chunks = []
        this.#waitingBytes = 0
        for (const chunk of chunks) yield chunk
        if (this.#chunks.length > 0) continue
        if (this.#error !== undefined) throw this.#error
        if (this.#ended) return
        const more = new Promise<void>((wake) => {
          this.#wake = wake
        })
        // What its connection has ready is pushed before this returns.
        this.controller?.resume()
        await more
      }
    } finally {
      if (!this.#ended) this.controller?.abort(new Error('The answer was not read to its end.'))
    }
  }
}
