import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { sendWritten, writeStreamHead, writeToClient } from '../src/relay/clientWriter.ts'

test('the head of a stream waits for what follows at once, and for nothing that takes its time', async (t) => {
  /** Bytes that were written and are still here. */
  const held: number[] = []
  const server = createServer(async (_request, response) => {
    const look = () => held.push(response.socket?.writableLength ?? 0)
    writeStreamHead(response, 200, { 'content-type': 'text/event-stream' })
    look()
    await writeToClient(response, Buffer.from('data: 1\n\n'), 1000)
    look()
    sendWritten(response)
    look()
    await writeToClient(response, Buffer.from('data: 2\n\n'), 1000)
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  assert.equal(await answer.text(), 'data: 1\n\ndata: 2\n\n')
  const [head = 0, begun = 0, sent] = held
  assert.ok(head > 0 && begun > head)
  assert.equal(sent, 0)
})
