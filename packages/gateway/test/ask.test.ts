import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { Pool } from 'undici'
import { ask } from '../src/http/ask.ts'
import { readBounded } from '../src/nodes/readBounded.ts'

/** A pool to a server that answers by `listener`; both go away with the test. */
async function poolTo(t: { after(close: () => unknown): void }, listener: RequestListener): Promise<Pool> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const pool = new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { connections: 1 })
  t.after(async () => {
    await pool.destroy()
    server.closeAllConnections()
    server.close()
  })
  return pool
}

const QUESTION = { method: 'GET', path: '/' } as const

test('an answer is its head and its bytes, whatever came before the head', async (t) => {
  const pool = await poolTo(t, (_, response) => {
    response.writeProcessing()
    response.writeHead(201, { 'x-kind': 'whole' })
    response.write('one ')
    response.end('two')
  })
  const { statusCode, headers, body } = await ask(pool, QUESTION)
  assert.equal(statusCode, 201)
  assert.equal(headers['x-kind'], 'whole')
  assert.equal((await readBounded(body, 100)).toString(), 'one two')
})

test('a sender waits for a reader that is slower, and nothing is lost', async (t) => {
  const chunk = Buffer.alloc(64 * 1024, 'x')
  const count = 256
  let sent = 0
  const pool = await poolTo(t, async (_, response) => {
    for (; sent < count; sent++) if (!response.write(chunk)) await once(response, 'drain')
    response.end()
  })
  const { body } = await ask(pool, QUESTION)
  let length = 0
  for await (const part of body) {
    if (length === 0) await new Promise((done) => setTimeout(done, 100))
    if (length === 0) assert.ok(sent < count, 'all 16 MiB were taken from a sender that nobody reads')
    length += part.length
  }
  assert.equal(length, count * chunk.length)
})

test('who stops reading breaks the exchange off', async (t) => {
  let response: ServerResponse | undefined
  const pool = await poolTo(t, (_, made) => {
    response = made
    made.write('endless')
  })
  const { body } = await ask(pool, QUESTION)
  await assert.rejects(readBounded(body, 3), RangeError)
  if (!response?.closed) await once(response as ServerResponse, 'close')
})

test('a signal ends the question with its reason, before the head and behind it', async (t) => {
  const pool = await poolTo(t, (request, response) => {
    if (request.url === '/begun') response.write('begun')
  })
  const reason = new Error('The client disconnected.')
  await assert.rejects(ask(pool, { ...QUESTION, signal: AbortSignal.abort(reason) }), reason)
  const silent = new AbortController()
  const never = ask(pool, { ...QUESTION, signal: silent.signal })
  silent.abort(reason)
  await assert.rejects(never, reason)
  const begun = new AbortController()
  const { body } = await ask(pool, { ...QUESTION, path: '/begun', signal: begun.signal })
  begun.abort(reason)
  await assert.rejects(readBounded(body, 100), reason)
})

test('an answer that breaks off is an error where it breaks', async (t) => {
  const pool = await poolTo(t, (_, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('half', () => response.destroy())
  })
  const { body } = await ask(pool, QUESTION)
  const read: string[] = []
  await assert.rejects(async () => {
    for await (const part of body) read.push(Buffer.from(part).toString())
  })
  assert.deepEqual(read, ['half'])
})
