import http from 'node:http'
import { AssayError } from '@assay/protocol'

/** Largest answer that is read, bytes: a state dump of a day's blocks fits. */
const MAX_ANSWER_BYTES = 1024 * 1024 * 1024

/** POSTs to a loopback port and reads the whole answer. Plain node:http: a dump can be far larger than fetch likes. */
export function postLoopback(
  port: number,
  body: Buffer,
  options: { agent?: http.Agent; timeoutMilliseconds: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: '/',
        agent: options.agent,
        headers: { 'content-type': 'application/json', 'content-length': body.length },
        timeout: options.timeoutMilliseconds,
      },
      (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > MAX_ANSWER_BYTES) request.destroy(new Error('answer too large'))
          else chunks.push(chunk)
        })
        response.on('end', () => resolve(Buffer.concat(chunks)))
        response.on('error', reject)
        response.on('aborted', () => reject(new Error('the answer broke off')))
      },
    )
    request.on('timeout', () => request.destroy(new Error(`no answer in ${options.timeoutMilliseconds} ms`)))
    request.on('error', reject)
    request.end(body)
  })
}

/**
 * One JSON-RPC call to the private chain process.
 * @throws AssayError `unreachable` where it does not answer, `config` where it answers with an error.
 */
export async function rpcCall(
  port: number,
  method: string,
  params: readonly unknown[],
  timeoutMilliseconds = 30_000,
): Promise<unknown> {
  let answer: { result?: unknown; error?: { message?: string } }
  try {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))
    answer = JSON.parse((await postLoopback(port, body, { timeoutMilliseconds })).toString('utf8'))
  } catch (cause) {
    throw new AssayError('The chain process does not answer.', {
      code: 'unreachable',
      facts: { method },
      cause,
    })
  }
  if (answer.error !== undefined) {
    throw new AssayError(`The chain process refused ${method}.`, {
      code: 'config',
      facts: { reason: String(answer.error.message).slice(0, 500) },
    })
  }
  return answer.result
}
