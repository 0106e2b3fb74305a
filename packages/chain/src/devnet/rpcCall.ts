import { AssayError } from '@assay/protocol'
import { Agent } from 'undici'

/** Largest answer that is read, bytes: a state dump of a day's blocks fits. */
const MAX_ANSWER_BYTES = 1024 * 1024 * 1024
/** Connections that stay open, per chain process; an idle one keeps no process of ours alive. */
const CONNECTIONS = 64

const connections = new Agent({ connections: CONNECTIONS })

/** POSTs JSON to a loopback port and reads the whole answer. The timeout is for its head, and for each wait within it. */
export function postLoopback(port: number, body: string, timeoutMilliseconds: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    connections.dispatch(
      {
        origin: `http://127.0.0.1:${port}`,
        path: '/',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        headersTimeout: timeoutMilliseconds,
        bodyTimeout: timeoutMilliseconds,
      },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData(controller, chunk) {
          size += chunk.length
          if (size > MAX_ANSWER_BYTES) controller.abort(new Error('answer too large'))
          else chunks.push(chunk)
        },
        onResponseEnd: () => resolve(Buffer.concat(chunks)),
        onResponseError: (_, error) => reject(error),
      },
    )
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
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    answer = JSON.parse((await postLoopback(port, body, timeoutMilliseconds)).toString('utf8'))
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
