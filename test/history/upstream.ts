import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Pause between the two halves of an answer, milliseconds, so that faults also meet answers that are half out. */
const HALFWAY_MS = 15

/** A deterministic OpenAI-compatible server that answers at once: what runs behind the campaign's nodes instead of a model. */
export async function startUpstream(): Promise<{ baseUrl: string; close(): void }> {
  const usage = { prompt_tokens: 7, completion_tokens: 4, total_tokens: 11 }
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = JSON.parse(Buffer.concat(parts).toString()) as { stream?: boolean; model: string }
    const head = { id: 'chatcmpl-1', created: 1, model: body.model }
    if (body.stream !== true) {
      const choices = [
        { index: 0, message: { role: 'assistant', content: 'one two three four' }, finish_reason: 'stop' },
      ]
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }))
      return
    }
    response.setHeader('content-type', 'text/event-stream')
    const write = (rest: object) =>
      response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...rest })}\n\n`)
    const choice = (delta: object, finish: string | null) => [{ index: 0, delta, finish_reason: finish }]
    write({ choices: choice({ role: 'assistant', content: 'one two' }, null) })
    await new Promise((go) => setTimeout(go, HALFWAY_MS))
    write({ choices: choice({ content: ' three four' }, null) })
    write({ choices: choice({}, 'stop') })
    write({ choices: [], usage })
    response.end('data: [DONE]\n\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () => server.close(),
  }
}
