import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Hex } from 'viem'

/** Serves batch files where a till's URL says that they are. */
export type BatchServer = {
  url: string
  publish(batchId: Hex, file: Uint8Array): void
  close(): void
}

export async function startBatchServer(): Promise<BatchServer> {
  const files = new Map<string, Uint8Array>()
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? '')
    response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has a port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    publish(batchId, file) {
      files.set(`/v1/batches/${batchId}/data`, file)
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
