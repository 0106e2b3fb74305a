import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/**
 * Where the tests look for ports: below the range from which systems give ports to outgoing connections
 * (Linux from 32,768, macOS and Windows from 49,152), or one of those takes a port between its being found
 * free and its server's start.
 */
const TEST_PORTS = { first: 20_000, blocks: 750, size: 16 }

/** @returns undefined where somebody listens there already */
function listenOn(port: number): Promise<Server | undefined> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(undefined))
    server.listen(port, '127.0.0.1', () => done(server))
  })
}

/**
 * Up to fifteen consecutive free ports on loopback. They come in blocks, and this process listens on the last one of a block
 * until it ends: another that looks for ports would else find these free while their servers are still on their way.
 */
export async function freePorts(count: number): Promise<number> {
  const { first, blocks, size } = TEST_PORTS
  for (;;) {
    const base = first + size * Math.floor(Math.random() * blocks)
    const mark = await listenOn(base + size - 1)
    if (mark === undefined) continue
    mark.unref()
    const servers = await Promise.all(Array.from({ length: count }, (_, at) => listenOn(base + at)))
    await Promise.all(servers.map((server) => server && once(server.close(), 'close')))
    if (servers.every((server) => server !== undefined)) return base
    mark.close()
  }
}
