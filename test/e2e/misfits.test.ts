/**
 * Misfits on a running network: whatever they send or leave half-said, the gateway stays up, small and at work.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import type { Network } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'
import { buy, paymentsOnChain, settled } from './money.ts'
import { exactRequestId, freshNonce, payExactly, post } from './payExactly.ts'

/** Of the gigabyte that it is sent below a gateway may keep less than half, bytes: garbage that it has not yet thrown away. */
const MAX_GROWTH = 512 * 1024 * 1024

let local: LocalNetwork
let network: Network
let payer: { address: Address; privateKey: Hex }

before(async () => {
  local = await createLocalNetwork()
  network = local.network
  const { demo } = network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  payer = demo
})
after(() => local?.close())

const body = (extra: object = {}) =>
  JSON.stringify({
    model: network.models[0]?.name,
    messages: [{ role: 'user', content: 'Hello.' }],
    max_tokens: 8,
    ...extra,
  })

function resident(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1]) * 1024
}

async function dial(): Promise<Socket> {
  const { hostname, port } = new URL(network.gatewayUrl)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

const head = (rest: string) => `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${rest}\r\n`

/** Resolves at the first of these events, or when the gateway has hung up, with whatever error. */
function firstOf(socket: Socket, ...events: string[]): Promise<void> {
  return new Promise((done) => {
    if (socket.closed) done()
    for (const event of ['close', ...events]) socket.once(event, () => done())
  })
}

test('nonsense, 50 MB bodies, dripping clients and torn streams leave the gateway up, well and small', async () => {
  const pid = local.pidOf('gateway')
  const table: [string, string, number][] = [
    ['malformed JSON', '{"model":', 400],
    ['an unknown model', body({ model: 'gpt-9' }), 404],
    ['negative max_tokens', body({ max_tokens: -1 }), 400],
    ['max_tokens of a wrong type', body({ max_tokens: '8' }), 400],
    ['messages of a wrong type', body({ messages: 'Hello.' }), 402],
    ['deep nesting', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400],
  ]
  for (let round = 0; round < 20; round++) {
    for (const [name, text, status] of table) {
      const answer = await post(network, text)
      assert.equal(answer.status, status, `${name}: ${answer.text}`)
      const { error } = JSON.parse(answer.text) as { error: { message: string; code: string } }
      assert.ok(error.message.length > 0 && error.code.length > 0, name)
    }
  }
  // Paid nonsense reaches the node, whose refusal costs nothing.
  const wrong = body({ messages: 'Hello.' })
  const nonce = freshNonce()
  const refused = await post(network, wrong, await payExactly(network, payer.privateKey, wrong, nonce))
  assert.equal(refused.status, 400, refused.text)
  assert.deepEqual(
    (await paymentsOnChain(network, payer.address, 0n)).settled.get(
      exactRequestId(network, payer.address, nonce),
    ),
    undefined,
  )

  const before = resident(pid)
  const mebibyte = Buffer.alloc(1024 * 1024, 0x20)
  for (let round = 0; round < 4; round++) {
    const sockets = await Promise.all(Array.from({ length: 5 }, dial))
    await Promise.all(
      sockets.map(async (socket, at) => {
        const ended = firstOf(socket, 'data')
        const chunked = at % 2 === 0
        socket.write(head(chunked ? 'transfer-encoding: chunked\r\n' : 'content-length: 52428800\r\n'))
        for (let sent = 0; sent < 50 && socket.writable; sent++) {
          if (chunked) socket.write('100000\r\n')
          const flowing = socket.write(mebibyte)
          if (chunked) socket.write('\r\n')
          if (!flowing) await firstOf(socket, 'drain')
        }
        await ended
        socket.destroy()
      }),
    )
  }

  // Slow-loris: heads that drip and never end, while others go on being served.
  const dripping = await Promise.all(Array.from({ length: 100 }, dial))
  for (const socket of dripping) socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n')
  const drip = setInterval(() => {
    for (const socket of dripping) if (socket.writable) socket.write('x-a: b\r\n')
  }, 500)
  const began = Date.now()
  const closed = Promise.all(dripping.map((socket) => firstOf(socket))).then(() => Date.now() - began)
  for (const socket of dripping) socket.resume()

  for (let round = 0; round < 5; round++) {
    const text = body({ stream: true, max_tokens: 64 })
    const abort = new AbortController()
    const response = await fetch(`${network.gatewayUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(await payExactly(network, payer.privateKey, text, freshNonce())),
      },
      body: text,
      signal: abort.signal,
    })
    assert.equal(response.status, 200)
    await response.body?.getReader().read()
    abort.abort()
  }
  const milliseconds = await closed
  clearInterval(drip)
  assert.ok(milliseconds < 45_000, `slow clients were cut off after ${milliseconds} ms`)

  const { receipt } = await buy(network, payer.privateKey)
  await settled(network, receipt.requestId)
  assert.equal(local.pidOf('gateway'), pid, 'it is still the same process')
  const grown = resident(pid) - before
  assert.ok(grown < MAX_GROWTH, `the gateway has grown by ${Math.round(grown / 1024 / 1024)} MB`)
})
