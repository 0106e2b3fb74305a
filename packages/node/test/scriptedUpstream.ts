/** A server that answers as OpenAI's or Anthropic's would, from a script; what it was asked is kept. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Asked = { path: string; headers: IncomingMessage['headers']; body: Record<string, unknown> }
export type Answering = (asked: Asked, response: ServerResponse) => void | Promise<void>

export type ScriptedUpstream = {
  url: string
  asked: Asked[]
  /** Resolves when a client of an unfinished answer has gone. */
  left: Promise<void>
  script: Answering
  close: () => Promise<void>
}

export async function startUpstream(script: Answering): Promise<ScriptedUpstream> {
  let leave: () => void = () => undefined
  const upstream: ScriptedUpstream = {
    url: '',
    asked: [],
    left: new Promise((resolve) => {
      leave = resolve
    }),
    script,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  const server = createServer(async (request, response) => {
    response.once('close', () => {
      if (!response.writableFinished) leave()
    })
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = JSON.parse(Buffer.concat(parts).toString() || '{}') as Record<string, unknown>
    const asked = { path: request.url ?? '', headers: request.headers, body }
    upstream.asked.push(asked)
    await upstream.script(asked, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  upstream.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  return upstream
}

export function json(response: ServerResponse, body: unknown, status = 200, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** A stream of OpenAI's: chunks, then its end mark. */
export function openaiStream(response: ServerResponse, chunks: readonly unknown[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const chunk of chunks) response.write(`data: ${JSON.stringify(chunk)}\n\n`)
  response.end('data: [DONE]\n\n')
}

/** A chunk with one choice's delta. */
export function delta(change: object, finish: string | null = null, more: object = {}) {
  const choices = [{ index: 0, delta: change, finish_reason: finish, ...more }]
  return { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'theirs', choices }
}

/** The chunk that counts. */
export function counted(prompt: number, completion: number) {
  const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'theirs',
    choices: [],
    usage,
  }
}

/** A stream of Anthropic's, each event under its type. */
export function anthropicStream(response: ServerResponse, events: readonly { type: string }[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  response.end()
}
