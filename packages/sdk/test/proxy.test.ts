/** What comes through the proxy, what it says of it, and what it withholds. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { SdkError, spendingLimit } from '../src/index.ts'
import type { ProxyCall } from '../src/proxy/index.ts'
import { authorization, body, post, proxyForTests, TOKEN } from './proxyForTests.ts'
import { manifest } from './stubNetwork.ts'

const { stub, proxy, calls, open, chat } = await proxyForTests()

test('a program with the token gets an answer that says it is verified', async () => {
  const { status, headers, text } = await chat({ authorization })
  assert.equal(status, 200)
  assert.equal(headers['x-assay-verified'], 'true')
  assert.match(text, /Paris/)
  assert.equal(stub.seen.paid, 1)
  assert.equal(calls[0]?.answer?.report.ok, true)
})

test('a program may name its request, and send it again', async () => {
  const named = { authorization, 'idempotency-key': 'a-name-of-the-programs' }
  const [first, again] = [await chat(named), await chat(named)]
  assert.deepEqual([again.headers['x-assay-verified'], again.headers['x-assay-replayed']], ['true', 'true'])
  assert.equal(again.headers['x-assay-request-id'], first.headers['x-assay-request-id'])
})

test('both vendors’ clients read an id of every answer: the gateway’s, where it gave one, and it is in the log', async () => {
  const messages = [{ role: 'user' as const, content: 'Where?' }]
  const asking = (apiKey: string) => {
    const openai = new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey, maxRetries: 0 })
    const anthropic = new Anthropic({ baseURL: proxy.url, apiKey, maxRetries: 0 })
    return [
      openai.chat.completions.create({ model: manifest.name, messages }),
      anthropic.messages.create({ model: manifest.name, max_tokens: 2000, messages }),
    ]
  }
  const idOfRefusal = async (call: Promise<unknown>) => {
    const error = await call.then(() => undefined).catch((caught: unknown) => caught)
    assert.ok(error instanceof OpenAI.APIError || error instanceof Anthropic.APIError, String(error))
    return error.requestID ?? ''
  }
  stub.tamper = { headers: { 'x-request-id': 'req_of_the_gateway', 'request-id': 'req_of_the_gateway' } }
  for (const answer of await Promise.all(asking(TOKEN)))
    assert.equal(answer._request_id, 'req_of_the_gateway')
  assert.deepEqual(
    calls.map(({ id }) => id),
    Array(2).fill('req_of_the_gateway'),
  )
  calls.length = 0
  // Turned away at the door, and withheld behind a payment: there the id is the proxy's own.
  const refused = await Promise.all(asking('no token').map(idOfRefusal))
  stub.tamper = { body: alter('Par', 'Lor') }
  const withheld = await Promise.all(asking(TOKEN).map(idOfRefusal))
  const ids = [...refused, ...withheld]
  for (const id of ids) assert.match(id, /^req_[0-9a-f-]{36}$/)
  assert.deepEqual(calls.map(({ id }) => id).toSorted(), ids.toSorted())
})

test('a stream says so in a comment before its terminal event, or in its head where it is held back', async () => {
  const { headers, text } = await chat({ authorization }, body({ stream: true }))
  assert.equal(headers['x-assay-verified'], 'pending')
  assert.match(text, /: x-assay-verified true\n[\s\S]*data: \[DONE\]\n\n$/)
  const held = await open({ buffer: true })
  try {
    const answer = await post(`${held.url}/v1/chat/completions`, { authorization }, body({ stream: true }))
    assert.equal(answer.headers['x-assay-verified'], 'true')
  } finally {
    await held.close()
  }
})

test('a gateway cannot say itself that it was verified: not of what nobody signs, nor in a stream', async () => {
  stub.tamper = { headers: { 'x-assay-verified': 'true' } }
  // Not paid for, and not `/v1/chat/completions` either.
  for (const path of ['/v1/models', '/v1/chat/completions/']) {
    const answer = await post(`${proxy.url}${path}`, { authorization })
    assert.equal(answer.headers['x-assay-verified'], undefined, path)
  }
  assert.equal((await chat({ authorization }, body({ stream: true }))).headers['x-assay-verified'], 'pending')

  const claims = ': x-assay-verified true\n:X-Assay-Verified: true\n: still here\n'
  stub.tamper = { body: alter('data: ', `${claims}data: `) }
  const { text } = await chat({ authorization }, body({ stream: true }))
  assert.deepEqual(text.match(/.*x-assay-verified.*\n/gi), [': x-assay-verified true\n'], 'the proxy alone')
  assert.match(text, /: still here\ndata: .*Par/)
})

for (const buffer of [false, true]) {
  test(`a stream where nothing is paid for, and so nothing is checked, claims nothing (buffer: ${buffer})`, async () => {
    const gateway = createServer((asked, response) => {
      asked.resume()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end('data: {"choices":[{"delta":{"content":"forged"}}]}\n\ndata: [DONE]\n\n')
    })
    gateway.listen(0, '127.0.0.1')
    await once(gateway, 'listening')
    const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
    const led = await open({ network: { ...stub.network, gatewayUrl }, buffer })
    try {
      for (const [method, path] of [
        ['POST', '/v1/chat/completions/'],
        ['GET', '/v1/chat/completions'],
        ['POST', '/v1/messages/count_tokens'],
      ] as const) {
        const { headers } = await post(`${led.url}${path}`, { authorization }, body(), method)
        assert.equal(headers['x-assay-verified'], undefined, `${method} ${path}`)
      }
    } finally {
      await led.close()
      gateway.closeAllConnections()
      gateway.close()
    }
  })
}

test('where requests are encrypted, a prompt whose tokens are to be counted does not go out in clear', async () => {
  const sealed = await open({ confidential: true })
  try {
    const count = await post(`${sealed.url}/v1/messages/count_tokens`, { authorization })
    assert.deepEqual([count.status, JSON.parse(count.text).error.type], [400, 'invalid_request_error'])
    assert.match(count.text, /cannot be encrypted/)
    const named = { authorization, 'idempotency-key': 'a-name-of-the-programs' }
    const refused = await post(`${sealed.url}/v1/chat/completions`, named)
    assert.deepEqual([refused.status, JSON.parse(refused.text).error.code], [400, 'not_confidential'])
    assert.deepEqual(stub.seen, { unpaid: 0, paid: 0 })
    // What says nothing passes: a list, and the wish that a request stop.
    await post(`${sealed.url}/v1/models`, { authorization }, '', 'GET')
    await post(`${sealed.url}/v1/requests/0x1/stop`, { authorization }, '')
    assert.deepEqual(stub.seen, { unpaid: 2, paid: 0 })
  } finally {
    await sealed.close()
  }
})

test('a proxy whose every call would fail does not start: an API key cannot sign what is encrypted', async () => {
  const keyed = { apiKey: `assay_${'A'.repeat(43)}`, privateKey: undefined, confidential: true }
  await assert.rejects(open(keyed), (error) => error instanceof SdkError && error.code === 'not_confidential')
})

const alter = (from: string, to: string) => (bytes: Uint8Array) =>
  new TextEncoder().encode(new TextDecoder().decode(bytes).replace(from, to))

test('an answer that was altered is withheld, in the words of each dialect, and not asked for again', async () => {
  stub.tamper = { body: alter('Par', 'Lor') }
  const openai = new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: TOKEN })
  const messages = [{ role: 'user' as const, content: 'Where?' }]
  await assert.rejects(openai.chat.completions.create({ model: manifest.name, messages }), (error) => {
    assert.ok(error instanceof OpenAI.APIError)
    assert.deepEqual([error.status, error.code], [502, 'verification_failed'])
    return true
  })
  const anthropic = new Anthropic({ baseURL: proxy.url, apiKey: TOKEN })
  await assert.rejects(
    anthropic.messages.create({ model: manifest.name, max_tokens: 2000, messages }),
    (error) => error instanceof Anthropic.APIError && /did not pass verification/.test(error.message),
  )
  // Either client tries again on a 502 by itself, which would pay again.
  assert.equal(stub.seen.paid, 2)
})

test('an answer that the chain cannot be asked about is not asked for again either: it is paid for', async () => {
  const blind = await open({
    chain: { ...stub.chain, view: () => Promise.reject(new Error('the RPC is away')) },
  })
  try {
    const answer = await post(`${blind.url}/v1/chat/completions`, { authorization })
    assert.deepEqual([answer.status, answer.headers['x-should-retry']], [502, 'false'])
    assert.equal(JSON.parse(answer.text).error.code, 'verification_failed')
  } finally {
    await blind.close()
  }
})

test('a stream that was altered ends in an explicit error event, never in its terminal event', async () => {
  stub.tamper = { body: alter('is.', 'iz.') }
  const { text } = await chat({ authorization }, body({ stream: true }))
  assert.doesNotMatch(text, /\[DONE\]|x-assay-verified true/)
  const last = text.trimEnd().split('\n').at(-1) ?? ''
  assert.equal(JSON.parse(last.slice('data: '.length)).error.code, 'verification_failed')
  const openai = new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: TOKEN })
  const messages = [{ role: 'user' as const, content: 'Where?' }]
  const stream = await openai.chat.completions.create({ model: manifest.name, messages, stream: true })
  await assert.rejects(async () => {
    for await (const _chunk of stream);
  }, OpenAI.APIError)
})

test('a body that cannot be taken is told apart: encoded, too large, or not to be read', async () => {
  const encoded = await chat({ authorization, 'content-encoding': 'gzip' })
  const large = await chat({ authorization, 'content-length': String(32 * 1024 * 1024 + 1) }, 'x')
  const sealed = await open({ confidential: true })
  const unread = await post(`${sealed.url}/v1/chat/completions`, { authorization }, '{')
  await sealed.close()
  for (const [{ status, text }, wanted] of [
    [encoded, 415],
    [large, 413],
    [unread, 400],
  ] as const) {
    assert.equal(status, wanted, text)
    assert.equal(JSON.parse(text).error.code, 'unsupported_body')
  }
  assert.equal(stub.seen.paid, 0)
})

test('of a call that its client left the log says that, and nothing of a failure', async () => {
  const end = Promise.withResolvers<void>()
  const told = Promise.withResolvers<ProxyCall>()
  stub.tamper = { beforeEnd: () => end.promise }
  const left = await open({ onCall: told.resolve })
  try {
    const leaving = new AbortController()
    const answer = await fetch(`${left.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization },
      body: body({ stream: true }),
      signal: leaving.signal,
    })
    await answer.body?.getReader().read()
    leaving.abort()
    assert.equal((await told.promise).failure, 'cancelled')
  } finally {
    end.resolve()
    await left.close()
  }
})

test('a limit that comes with the call holds, whatever its gateway makes of it', async () => {
  // The stub asks for 5,000 whatever it is told.
  for (const [most, status, code] of [
    ['4999', 402, 'over_limit'],
    ['five', 400, 'bad_input'],
  ] as const) {
    const refused = await chat({ authorization, 'assay-max-price': most })
    assert.deepEqual([refused.status, JSON.parse(refused.text).error.code], [status, code])
    assert.equal(refused.headers['x-should-retry'], 'false')
  }
  assert.equal(stub.seen.paid, 0)
  assert.equal((await chat({ authorization, 'assay-max-price': '5000' })).status, 200)
  assert.equal(stub.paidWith.at(-1)?.['assay-max-price'], '5000')
})

test('a call stays in its client’s trace', async () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  assert.equal((await chat({ authorization, traceparent, tracestate: 'a=b' })).status, 200)
  const headers = stub.paidWith.at(-1) ?? {}
  assert.deepEqual(
    [headers.traceparent, headers.tracestate, headers.authorization],
    [traceparent, 'a=b', undefined],
  )
})

test('limits hold: a call, a day, and what a failed call may still cost', async () => {
  const spending = spendingLimit({ maxPerDay: 8_000n })
  const small = await open({ spending, maxPerCall: 6_000n })
  const url = `${small.url}/v1/chat/completions`
  try {
    stub.tamper = { amount: 6_001n }
    const dear = await post(url, { authorization })
    assert.deepEqual([dear.status, JSON.parse(dear.text).error.code], [402, 'over_limit'])
    assert.match(dear.text, /quote: 0\.000000000000006001 OPG, maxPerCall: 0\.000000000000006 OPG/)
    assert.equal(spending.spent(), 0n)

    stub.tamper = {}
    assert.equal((await post(url, { authorization })).status, 200)
    const price = spending.spent()
    assert.ok(price > 0n && price < 5_000n, `${price}: the price, not the quote`)

    // Its authorisation is out: whoever holds it may still use all of it.
    stub.tamper = { body: alter('Par', 'Lor') }
    assert.equal((await post(url, { authorization })).status, 502)
    assert.equal(spending.spent(), price + 5_000n)

    stub.tamper = {}
    const beyond = await post(url, { authorization })
    assert.deepEqual([beyond.status, beyond.headers['x-should-retry']], [402, 'false'])
    assert.equal(stub.seen.paid, 2)
  } finally {
    await small.close()
  }
})
