import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Tap = {
  url: string
  /** Every byte that went by, either way, as Latin-1. */
  heard(): string
  close(): Promise<void>
}

/** A listener on the way to a server: what it hears is what a gateway's operator, or the wire's, could read. */
export async function startTap(target: string): Promise<Tap> {
  const { hostname, port } = new URL(target)
  const heard: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => heard.push(bytes.toString('latin1')))
      from.on('error', () => to.destroy())
      from.on('close', () => sockets.delete(from))
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard: () => heard.join(''),
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
