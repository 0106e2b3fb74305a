import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A connection between two parts of the network that can be cut like a cable: nothing is refused, nothing arrives. */
export type Wire = {
  /** On 127.0.0.1. */
  port: number
  /** Whether a connection goes over it. */
  isUsed(): boolean
  /** From now on every byte is kept back, in both directions, and new connections hang. */
  cut(): void
  /** Lets the bytes through that were kept back, or breaks every connection that waited. @returns how many waited */
  heal(how: 'resume' | 'reset'): number
  close(): Promise<void>
}

/** @param port 0 for any free one */
export async function startWire(target: number, port = 0): Promise<Wire> {
  const pairs = new Set<[Socket, Socket]>()
  let isCut = false
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    for (const [from, to] of [pair, [far, near]] as const) {
      from.setNoDelay(true)
      from.on('error', end)
      from.on('close', end)
      from.on('end', () => to.end())
      from.on('data', (bytes) => {
        if (!to.write(bytes)) from.pause()
      })
      to.on('drain', () => {
        if (!isCut) from.resume()
      })
      if (isCut) from.pause()
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    isUsed: () => pairs.size > 0,
    cut() {
      isCut = true
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    heal(how) {
      isCut = false
      const waited = pairs.size
      for (const pair of pairs) {
        for (const socket of pair) {
          if (how === 'reset') socket.destroy()
          else socket.resume()
        }
      }
      return waited
    },
    async close() {
      for (const pair of pairs) for (const socket of pair) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
