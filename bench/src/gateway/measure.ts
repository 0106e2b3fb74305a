import { Client } from 'undici'
import { quantile } from '../table.ts'
import type { ServerProcess } from './serverProcess.ts'

export type Call = { headers: Record<string, string>; body: string }
/** Milliseconds; `first` is the time to the first byte of the body. */
export type Latency = {
  p50: number
  p99: number
  firstP50: number
  /** Calls a second that one core of the server would carry; undefined where the server is not a process of its own. */
  perCore: number | undefined
  /** Resident memory afterwards, MiB. */
  memory: number | undefined
}

/**
 * Times from sending a request to its answer's first and last byte, over one kept-alive connection.
 * @param callOf makes the n-th call, so that each can carry a payment of its own.
 * @throws where an answer is not 200 or, in a stream, lacks its terminal event.
 */
export async function measureLatency(
  server: { url: string; process?: ServerProcess },
  count: number,
  warmUp: number,
  callOf: (index: number) => Call,
): Promise<Latency> {
  const { url } = server
  const client = new Client(url)
  const times: number[] = []
  const firsts: number[] = []
  let cpuBefore = 0
  try {
    for (let at = 0; at < warmUp + count; at++) {
      if (at === warmUp) cpuBefore = server.process?.cpuSeconds() ?? 0
      const { headers, body } = callOf(at)
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
      if (at < warmUp) continue
      times.push(time)
      firsts.push(first)
    }
  } finally {
    await client.destroy()
  }
  const cpu = (server.process?.cpuSeconds() ?? 0) - cpuBefore
  times.sort((a, b) => a - b)
  firsts.sort((a, b) => a - b)
  return {
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    firstP50: quantile(firsts, 0.5),
    perCore: cpu > 0 ? count / cpu : undefined,
    memory: server.process?.residentMiB(),
  }
}
