import { request } from 'node:http'
import { after, beforeEach } from 'node:test'
import { type ProxyCall, type ProxyOptions, startProxy } from '../src/proxy/index.ts'
import { manifest, stubForTests } from './stubNetwork.ts'

export const TOKEN = 'a-token-of-more-than-24-characters'
export const authorization = `Bearer ${TOKEN}`

export const body = (extra: object = {}) =>
  JSON.stringify({ model: manifest.name, messages: [{ role: 'user', content: 'Where?' }], ...extra })

export type Answer = { status: number; headers: Record<string, unknown>; text: string }

/** A request with any headers at all, which `fetch` would not send. */
export function post(
  url: string,
  headers: Record<string, string>,
  sent = body(),
  method = 'POST',
): Promise<Answer> {
  return new Promise((done, failed) => {
    const asked = request(url, { method, headers }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => done({ status: answer.statusCode ?? 0, headers: answer.headers, text }))
    })
    asked.on('error', failed)
    asked.end(method === 'POST' ? sent : undefined)
  })
}

/** A proxy before a stub of a network, for all tests of a file; what it logs begins anew with each of them. */
export async function proxyForTests() {
  const stub = await stubForTests()
  const calls: ProxyCall[] = []
  const open = (extra: Partial<ProxyOptions> = {}) =>
    startProxy({
      network: stub.network,
      chain: stub.chain,
      privateKey: stub.payerKey,
      port: 0,
      token: TOKEN,
      onCall: (call) => calls.push(call),
      ...extra,
    })
  const proxy = await open()
  after(() => proxy.close())
  beforeEach(() => {
    calls.length = 0
  })
  const chat = (headers: Record<string, string>, sent = body()) =>
    post(`${proxy.url}/v1/chat/completions`, headers, sent)
  return { stub, proxy, calls, open, chat }
}
