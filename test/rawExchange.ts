import { once } from 'node:events'
import { connect } from 'node:net'

/** All that a server says to bytes that no HTTP client would send, until it closes the connection. */
export async function rawExchange(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  // A server that has heard enough may cut the connection while it is still written to.
  socket.on('error', () => undefined)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.write(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}
