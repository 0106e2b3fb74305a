import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { fetchBounded } from '../src/fetchBounded.ts'

const limits = { maxBytes: 100, timeoutMs: 5_000, devnet: true }

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('fetches bytes, up to the limit', async (t) => {
  const url = await serve(t, (request, response) => {
    response.end(Buffer.alloc(request.url === '/more' ? 101 : 100, 7))
  })
  assert.deepEqual(await fetchBounded(`${url}/some?x=1`, limits), new Uint8Array(100).fill(7))
  await assert.rejects(fetchBounded(`${url}/more`, limits), { code: 'unreachable' })
})

test('an endless, silent, redirecting or failing server is unreachable', async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === '/silent') return
    if (request.url === '/endless') {
      const timer = setInterval(() => response.write('x'), 1)
      response.on('close', () => clearInterval(timer))
    } else if (request.url === '/redirect') response.writeHead(302, { location: '/' }).end()
    else if (request.url === '/broken') {
      response.writeHead(200, { 'content-length': '50' }).write('x', () => response.destroy())
    } else response.writeHead(500).end()
  })
  for (const path of ['/endless', '/redirect', '/broken', '/error']) {
    await assert.rejects(fetchBounded(url + path, limits), { code: 'unreachable' }, path)
  }
  await assert.rejects(fetchBounded(`${url}/silent`, { ...limits, timeoutMs: 100 }), { code: 'unreachable' })
})

test('outside a development chain this machine and its neighbours are not dialled', async () => {
  for (const url of [
    'http://127.0.0.1:1/',
    'http://[::1]:1/',
    'http://169.254.169.254/',
    'file:///etc/passwd',
    'nonsense',
  ]) {
    await assert.rejects(fetchBounded(url, { ...limits, devnet: false }), { code: 'config' }, url)
  }
})
