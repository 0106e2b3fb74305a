/**
 * A pipe of the least HTTP that there can be: it looks for the blank line, believes the length that stands before it, drops
 * what is of one connection only, and sends each message in one write. No server at an open door may be so trusting; it
 * shows how much a proxy could save at most by an HTTP of its own.
 */
import { connect, createServer, type Socket } from 'node:net'

const { BENCH_UPSTREAM = '', ASSAY_PORT } = process.env
const { hostname: host, port } = new URL(BENCH_UPSTREAM)

const HEAD_END = '\r\n\r\n'
const LAST_CHUNK = Buffer.from('0\r\n\r\n')
const OF_CONNECTION = /^(connection|keep-alive):/i
const CHUNKED = /^transfer-encoding:/i
const LENGTH = /^content-length:/i

function pass(from: Socket, to: Socket): void {
  let waiting = Buffer.alloc(0)
  let inChunks = false
  from.on('data', (bytes) => {
    if (inChunks) {
      inChunks = !bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)
      return void to.write(bytes)
    }
    waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes])
    const headLength = waiting.indexOf(HEAD_END)
    if (headLength === -1) return
    const lines = waiting.toString('latin1', 0, headLength).split('\r\n')
    const body = waiting.subarray(headLength + HEAD_END.length)
    const isChunked = lines.some((line) => CHUNKED.test(line))
    const length = Number(lines.find((line) => LENGTH.test(line))?.split(':')[1] ?? 0)
    if (!isChunked && body.length < length) return
    const head = lines.filter((line) => !OF_CONNECTION.test(line)).join('\r\n')
    to.write(Buffer.concat([Buffer.from(head + HEAD_END, 'latin1'), body]))
    inChunks = isChunked && !body.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)
    waiting = Buffer.alloc(0)
  })
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}

createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host, port: Number(port), noDelay: true })
  pass(client, upstream)
  pass(upstream, client)
}).listen(Number(ASSAY_PORT), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
