/** A pipe that knows nothing of HTTP: what two more connections cost in this runtime, whoever stands between them. */
import { connect, createServer } from 'node:net'

const { BENCH_UPSTREAM = '', ASSAY_PORT } = process.env
const { hostname: host, port } = new URL(BENCH_UPSTREAM)
createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host, port: Number(port), noDelay: true })
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    from.on('data', (bytes) => void to.write(bytes))
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
  }
}).listen(Number(ASSAY_PORT), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
