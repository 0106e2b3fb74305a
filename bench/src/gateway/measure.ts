import { Client } from 'undici'
import { quantile } from '../table.ts'

export type Server = { url: string }
export type Call = { headers: Record<string, string>; body: string }
/** Milliseconds of each call; `first` is the time to the first byte of the body. */
export type Times = { whole: number[]; first: number[] }
export type Latency = { p50: number; p99: number; firstP50: number }

/**
 * Makes calls one after another over one connection that stays open; times are from sending the request to the answer's
 * first and last byte.
 * @throws where an answer is not 200 or, in a stream, lacks its terminal event.
 */
export async function timeCalls({ url }: Server, calls: readonly Call[]): Promise<Times> {
  const client = new Client(url)
  const times: Times = { whole: [], first: [] }
  try {
    for (const { headers, body } of calls) {
      const start = performance.now()
      const answer = await client.request({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      })
      const parts: Uint8Array[] = []
      let first = 0
      for await (const part of answer.body as AsyncIterable<Uint8Array>) {
        if (parts.length === 0) first = performance.now() - start
        parts.push(part)
      }
      const time = performance.now() - start
      const text = Buffer.concat(parts).toString()
      if (answer.statusCode !== 200)
        throw new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
      if (body.includes('"stream":true') && !text.trimEnd().endsWith('data: [DONE]')) {
        throw new Error(`${url} ended a stream without its terminal event: ${text.slice(-100)}`)
      }
      times.whole.push(time)
      times.first.push(first)
    }
  } finally {
    await client.destroy()
  }
  return times
}

/** What several measurements of the same come to together. */
export function latencyOf(...measured: readonly Times[]): Latency {
  const sorted = (of: keyof Times) => measured.flatMap((times) => times[of]).sort((a, b) => a - b)
  const whole = sorted('whole')
  return { p50: quantile(whole, 0.5), p99: quantile(whole, 0.99), firstP50: quantile(sorted('first'), 0.5) }
}
