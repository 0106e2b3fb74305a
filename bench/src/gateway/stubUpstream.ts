import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Events of the streamed answer, written at once: what a call takes is then the gateway's share. */
const CHUNKS = 20
export const WHOLE_ANSWER = JSON.stringify({
  id: 'chatcmpl-stub',
  object: 'chat.completion',
  created: 1_750_000_000,
  model: 'stub',
  choices: [
    { index: 0, message: { role: 'assistant', content: 'word '.repeat(CHUNKS) }, finish_reason: 'stop' },
  ],
  usage: { prompt_tokens: 10, completion_tokens: CHUNKS, total_tokens: 10 + CHUNKS },
})
const EVENT = `data: ${JSON.stringify({
  id: 'chatcmpl-stub',
  object: 'chat.completion.chunk',
  created: 1_750_000_000,
  model: 'stub',
  choices: [{ index: 0, delta: { content: 'word ' }, finish_reason: null }],
})}\n\n`

export const STREAM_EVENTS = EVENT.repeat(CHUNKS)
export const TERMINAL_EVENT = 'data: [DONE]\n\n'

/** An OpenAI-shaped upstream that answers at once, so that whatever time a call takes is the gateway's. */
export async function startStubUpstream(): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    // What a pipe of bytes is asked before it counts as started, it asks here.
    if (request.url === '/health') return void response.end()
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const { stream } = JSON.parse(Buffer.concat(parts).toString('utf8')) as { stream?: boolean }
      if (stream !== true) {
        response.writeHead(200, { 'content-type': 'application/json' }).end(WHOLE_ANSWER)
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(STREAM_EVENTS)
      response.end(TERMINAL_EVENT)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() }
}
