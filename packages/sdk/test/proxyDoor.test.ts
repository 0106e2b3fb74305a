/** Who may use the proxy, and where it goes for him. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import OpenAI from 'openai'
import { turnedAway as refusalAtDoor } from '../src/proxy/door.ts'
import { authorization, post, proxyForTests, TOKEN } from './proxyForTests.ts'

const { stub, proxy, open, chat } = await proxyForTests()

test('the token is taken where either vendor puts its key', async () => {
  assert.equal((await chat({ 'x-api-key': TOKEN })).status, 200)
})

const turnedAway: { name: string; headers: Record<string, string>; status: number; code: string }[] = [
  { name: 'no token', headers: {}, status: 401, code: 'invalid_token' },
  {
    name: 'a wrong token',
    headers: { authorization: `Bearer ${TOKEN}x` },
    status: 401,
    code: 'invalid_token',
  },
  {
    name: 'the token under a name that was pointed here (DNS rebinding)',
    headers: { authorization, host: 'attacker.example' },
    status: 403,
    code: 'bad_host',
  },
  {
    name: 'the token under the right name and another port',
    headers: { authorization, host: '127.0.0.1:1' },
    status: 403,
    code: 'bad_host',
  },
  {
    name: 'a page of another origin',
    headers: { authorization, origin: 'https://attacker.example' },
    status: 403,
    code: 'bad_origin',
  },
  {
    name: 'a page without an origin',
    headers: { authorization, origin: 'null' },
    status: 403,
    code: 'bad_origin',
  },
  {
    name: 'a page that hides its origin',
    headers: { authorization, 'sec-fetch-site': 'cross-site' },
    status: 403,
    code: 'bad_origin',
  },
]
for (const { name, headers, status, code } of turnedAway) {
  test(`nothing is asked or paid for ${name}`, async () => {
    const answer = await chat(headers)
    assert.equal(answer.status, status)
    assert.equal(JSON.parse(answer.text).error.code, code)
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
    assert.deepEqual(stub.seen, { unpaid: 0, paid: 0 })
  })
}

test('a browser is told no before it sends anything: the preflight of a foreign page', async () => {
  const headers = { origin: 'https://attacker.example', 'access-control-request-method': 'POST' }
  const answer = await post(`${proxy.url}/v1/chat/completions`, headers, '', 'OPTIONS')
  assert.equal(answer.status, 403)
  assert.equal(answer.headers['access-control-allow-origin'], undefined)
})

test('an origin that was let in may use it, with the token', async () => {
  const origin = 'http://localhost:3000'
  const friendly = await open({ allowedOrigins: [origin] })
  try {
    const url = `${friendly.url}/v1/chat/completions`
    const answer = await post(url, { authorization, origin })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['access-control-allow-origin'], origin)
    assert.equal((await post(url, { origin })).status, 401)
    assert.equal((await post(url, { authorization, origin: 'http://localhost:3001' })).status, 403)
  } finally {
    await friendly.close()
  }
})

test('a gateway can send the proxy nowhere else, and not fill its memory', async () => {
  const asked: string[] = []
  const elsewhere = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.end('a secret of this machine')
  }).listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  const { port } = elsewhere.address() as AddressInfo
  try {
    const gateway = createServer((request, response) => {
      if (request.url === '/v1/models') {
        response.writeHead(307, { location: `http://127.0.0.1:${port}/admin` }).end()
      } else response.end(Buffer.alloc(32 * 1024 * 1024 + 1))
    }).listen(0, '127.0.0.1')
    await once(gateway, 'listening')
    const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
    const led = await open({ network: { ...stub.network, gatewayUrl } })
    try {
      assert.equal((await post(`${led.url}/v1/models`, { authorization }, '', 'GET')).status, 503)
      assert.deepEqual(asked, [])
      assert.equal((await post(`${led.url}/v1/large`, { authorization }, '', 'GET')).status, 502)
    } finally {
      await led.close()
      gateway.closeAllConnections()
      gateway.close()
    }
  } finally {
    elsewhere.close()
  }
})

test('on the port that clients leave out a local name alone is enough, and still no other', () => {
  const door = { port: 80, token: TOKEN, allowedOrigins: [] }
  for (const host of ['127.0.0.1', 'LOCALHOST', '[::1]', '127.0.0.1:80']) {
    assert.equal(refusalAtDoor({ host }, door), undefined, host)
  }
  for (const host of ['attacker.example', 'attacker.example:80', '127.0.0.1:1', '']) {
    assert.equal(refusalAtDoor({ host }, door)?.code, 'bad_host', host)
  }
  assert.equal(refusalAtDoor({ host: '127.0.0.1' }, { ...door, port: 4050 })?.code, 'bad_host')
})

test('paths that lead elsewhere are not found', async () => {
  const ways = ['/', '/v2/x', '/v1/../admin', '/v1/%2e%2e/x', '/v1/%2E./x', '/v1/%2', '//127.0.0.1/v1/models']
  for (const path of ways) {
    assert.equal((await post(`${proxy.url}${path}`, { authorization })).status, 404, path)
  }
  assert.deepEqual(stub.seen, { unpaid: 0, paid: 0 })
})

test('the list of paths that a gateway points lost clients to is had here too, with the token', async () => {
  const gateway = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ of: request.url }))
  }).listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  const elsewhere = await open({ network: { ...stub.network, gatewayUrl } })
  try {
    const lost = await post(`${elsewhere.url}/v2/models`, { authorization }, '', 'GET')
    const [, list = ''] = /GET (\/\S+) lists/.exec(lost.text) ?? []
    assert.deepEqual([lost.status, list], [404, '/openapi.json'])
    const found = await post(`${elsewhere.url}${list}`, { authorization }, '', 'GET')
    assert.deepEqual([found.status, found.text], [200, '{"of":"/openapi.json"}'])
    assert.equal((await post(`${elsewhere.url}${list}`, {}, '', 'GET')).status, 401)
    assert.equal((await post(`${elsewhere.url}${list}/x`, { authorization }, '', 'GET')).status, 404)
  } finally {
    await elsewhere.close()
    gateway.closeAllConnections()
    gateway.close()
  }
})

test('a model may be asked for by a name with a slash, as models of others have', async () => {
  const asked: string[] = []
  const gateway = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"meta-llama/Llama-3@1"}')
  }).listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  const elsewhere = await open({ network: { ...stub.network, gatewayUrl } })
  try {
    const openai = new OpenAI({ baseURL: `${elsewhere.url}/v1`, apiKey: TOKEN })
    assert.equal((await openai.models.retrieve('meta-llama/Llama-3@1')).id, 'meta-llama/Llama-3@1')
    assert.deepEqual(asked, ['/v1/models/meta-llama%2FLlama-3@1'])
  } finally {
    await elsewhere.close()
    gateway.closeAllConnections()
    gateway.close()
  }
})
