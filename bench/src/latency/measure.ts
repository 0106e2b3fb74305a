import { Client } from 'undici'
import { quantile } from '../table.ts'

export type Call = { headers: Record<string, string>; body: string }
export type Latency = { p50: number; p99: number }

/**
 * Milliseconds from sending a request to its answer's last byte, over one kept-alive connection.
 * @param callOf makes the n-th call, so that each can carry a payment of its own.
 * @throws where an answer is not 200 or, in a stream, lacks its terminal event.
 */
export async function measureLatency(
  url: string,
  count: number,
  warmUp: number,
  callOf: (index: number) => Call,
): Promise<Latency> {
  const client = new Client(url)
  const times: number[] = []
  try {
    for (let at = 0; at < warmUp + count; at++) {
      const { headers, body } = callOf(at)
      const start = performance.now()
      const answer = await client.request({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      })
      const text = await answer.body.text()
      const time = performance.now() - start
      if (answer.statusCode !== 200)
        throw new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`)
      if (body.includes('"stream":true') && !text.trimEnd().endsWith('data: [DONE]')) {
        throw new Error(`${url} ended a stream without its terminal event: ${text.slice(-100)}`)
      }
      if (at >= warmUp) times.push(time)
    }
  } finally {
    await client.destroy()
  }
  times.sort((a, b) => a - b)
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
}
