import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { AssayError } from '@assay/protocol'
import type { FastifyInstance } from 'fastify'

export type TlsDoorOptions = { port: number; certificateFile: string; keyFile: string }
export type TlsDoor = { port: number; close(): Promise<void> }

/**
 * A second door to the same server, under TLS: OpenGradient's clients look up a certificate and call nobody without it. It
 * ends here, at the gateway, so it proves nothing of an enclave.
 * @throws AssayError `config` | `conflict`
 */
export async function openTlsDoor(server: FastifyInstance, options: TlsDoorOptions): Promise<TlsDoor> {
  const { port, certificateFile, keyFile } = options
  let identity: { cert: Buffer; key: Buffer }
  try {
    identity = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) }
  } catch (cause) {
    throw new AssayError('The certificate of the TLS door cannot be read.', {
      code: 'config',
      facts: { certificateFile, keyFile },
      cause,
    })
  }
  const { headersTimeout, requestTimeout, maxConnections } = server.server
  const door = createServer({ ...identity, maxHeaderSize: 32 * 1024 }, (request, response) =>
    server.server.emit('request', request, response),
  )
  Object.assign(door, { headersTimeout, requestTimeout, maxConnections })
  await new Promise<void>((resolve, reject) => {
    door.once('error', (cause: NodeJS.ErrnoException) =>
      reject(new AssayError(`Port ${port} is taken.`, { code: 'conflict', facts: { port }, cause })),
    )
    door.listen(port, '127.0.0.1', resolve)
  })
  const address = door.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        door.close(() => resolve())
        door.closeAllConnections()
      }),
  }
}
