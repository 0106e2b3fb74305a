import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** A gateway that passes everything on to an honest one, but gives the first paid answer to all who ask after it. */
export async function startRepeatingGateway(
  honestUrl: string,
): Promise<{ url: string; close: () => Promise<void> }> {
  let first: { status: number; headers: Headers; body: Buffer } | undefined
  const server = createServer(async (request, response) => {
    try {
      const body = await buffer(request)
      const isPaid = request.method === 'POST' && request.headers.authorization !== undefined
      const { host: _, connection: __, ...headers } = request.headers
      let given = isPaid ? first : undefined
      if (given === undefined) {
        const answer = await fetch(new URL(request.url ?? '/', honestUrl), {
          method: request.method ?? 'GET',
          headers: headers as Record<string, string>,
          body: request.method === 'POST' ? body : null,
        })
        given = {
          status: answer.status,
          headers: new Headers([...answer.headers].filter(([name]) => name !== 'connection')),
          body: Buffer.from(await answer.arrayBuffer()),
        }
        if (isPaid) first = given
      } else response.setHeader('x-assay-replayed', 'true')
      response.setHeaders(given.headers)
      response.writeHead(given.status).end(given.body)
    } catch (error) {
      response.destroy(error as Error)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
