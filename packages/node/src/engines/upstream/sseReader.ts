/** One event of a stream, its data lines joined (HTML, "Server-sent events", §9.2.6). */
export type SseEvent = { event: string | undefined; data: string }

/** Largest event and largest stream, bytes: what no model writes is no answer. */
const MAX_EVENT_BYTES = 4 * 1024 * 1024
const MAX_STREAM_BYTES = 64 * 1024 * 1024

/** Reads the events of a stream; comments, ids and retry times are left out. @throws RangeError when it is too large */
export async function* readSse(body: AsyncIterable<Uint8Array>): AsyncGenerator<SseEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let total = 0
  let event: string | undefined
  let data: string[] = []
  for await (const chunk of body) {
    total += chunk.length
    rest += decoder.decode(chunk, { stream: true })
    if (total > MAX_STREAM_BYTES || rest.length > MAX_EVENT_BYTES)
      throw new RangeError('the stream is too large')
    // A carriage return at the very end may be the first half of a line end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { event, data: data.join('\n') }
        event = undefined
        data = []
        continue
      }
      const colon = line.indexOf(':')
      const name = colon === -1 ? line : line.slice(0, colon)
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (name === 'data') data.push(value)
      else if (name === 'event') event = value
    }
  }
}
