import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * A connection between two parts of the network that can be cut like a cable, so that nothing is refused and nothing
 * arrives, or made slow, as by a server or a line that has more to do than it can.
 */
export type Wire = {
  /** On 127.0.0.1. */
  port: number
  /** Whether a connection goes over it. */
  isUsed(): boolean
  /** From now on every byte is kept back, in both directions, and new connections hang. */
  cut(): void
  /** From now on each piece of what goes over it, in either direction, takes so long, milliseconds, one after another. */
  slow(delayMs: number): void
  /** @returns how many pieces were slow since */
  quicken(): number
  /** Lets the bytes through that were kept back, or breaks every connection that waited. @returns how many waited */
  heal(how: 'resume' | 'reset'): number
  close(): Promise<void>
}

/** @param port 0 for any free one */
export async function startWire(target: number, port = 0): Promise<Wire> {
  const pairs = new Set<[Socket, Socket]>()
  /** Ends that are read no further before what they said is passed on. */
  const waiting = new Set<Socket>()
  let isCut = false
  let delayMs = 0
  let slowed = 0
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
      const pass = (bytes: Buffer) => {
        if (!to.write(bytes)) from.pause()
      }
      from.on('data', (bytes) => {
        if (delayMs === 0) return pass(bytes)
        slowed += 1
        from.pause()
        waiting.add(from)
        setTimeout(() => {
          waiting.delete(from)
          if (!isCut) from.resume()
          if (!to.destroyed) pass(bytes)
        }, delayMs)
      })
      to.on('drain', () => {
        if (!isCut && !waiting.has(from)) from.resume()
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
    slow(milliseconds) {
      delayMs = milliseconds
      slowed = 0
    },
    quicken() {
      delayMs = 0
      return slowed
    },
    heal(how) {
      isCut = false
      const waited = pairs.size
      for (const pair of pairs) {
        for (const socket of pair) {
          if (how === 'reset') socket.destroy()
          else if (!waiting.has(socket)) socket.resume()
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
