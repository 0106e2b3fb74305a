import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { AssayError } from '@assay/protocol'

export type DeviceRequest = {
  url: string
  method?: 'GET' | 'POST' | undefined
  /** Connects to this unix socket; the URL's host then names nothing. */
  socketPath?: string | undefined
  body?: string | undefined
  contentType?: string | undefined
  /**
   * Accept any certificate: only where the answer is signed by hardware, and its certificate is what is being asked
   * for. Default false.
   */
  anyCertificate?: boolean | undefined
  /** Longest answer, bytes. */
  maxBytes: number
}

export type DeviceAnswer = { status: number; headers: Record<string, string>; body: Uint8Array }

/** ms; hardware signs within a second, a vendor's service answers within a few. */
const TIMEOUT_MS = 20_000

/** One bounded HTTP exchange with a platform's agent or a vendor's service. @throws AssayError `unreachable` */
export function exchange(parameters: DeviceRequest): Promise<DeviceAnswer> {
  const { url, method = 'GET', socketPath, body, contentType, maxBytes } = parameters
  const { protocol, host, hostname, port, pathname, search } = new URL(url)
  const unreachable = (reason: string, cause?: unknown): AssayError =>
    new AssayError('The source of attestation does not answer.', {
      code: 'unreachable',
      facts: { at: socketPath ?? host, path: pathname, reason },
      cause,
    })
  return new Promise((resolve, reject) => {
    const send = protocol === 'https:' ? secureRequest : plainRequest
    const request = send(
      {
        ...(socketPath === undefined ? { hostname, port } : { socketPath }),
        path: pathname + search,
        method,
        headers: contentType === undefined ? {} : { 'content-type': contentType },
        rejectUnauthorized: parameters.anyCertificate !== true,
      },
      (answer) => {
        const chunks: Buffer[] = []
        let length = 0
        answer.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > maxBytes) request.destroy(unreachable(`the answer is longer than ${maxBytes} bytes`))
          else chunks.push(chunk)
        })
        answer.on('error', (error) => reject(unreachable(error.message, error)))
        answer.on('end', () => {
          const headers: Record<string, string> = {}
          for (const [name, value] of Object.entries(answer.headers)) {
            if (typeof value === 'string') headers[name] = value
          }
          resolve({ status: answer.statusCode ?? 0, headers, body: new Uint8Array(Buffer.concat(chunks)) })
        })
      },
    )
    request.on('error', (error) =>
      reject(error instanceof AssayError ? error : unreachable(error.message, error)),
    )
    request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    request.end(body)
  })
}
