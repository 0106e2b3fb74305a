/** The least that a proxy in this runtime does: `node:http` in front, undici behind, the bytes in between. */
import { createServer } from 'node:http'
import { Pool } from 'undici'

const { BENCH_UPSTREAM = '', ASSAY_PORT } = process.env
const pool = new Pool(BENCH_UPSTREAM, { connections: 16 })
const server = createServer((request, response) => {
  if (request.url === '/health') return void response.end()
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    pool.dispatch(
      {
        method: 'POST',
        path: request.url ?? '/',
        headers: { 'content-type': 'application/json' },
        body: Buffer.concat(parts),
      },
      {
        onRequestStart() {},
        onResponseStart(_controller, status, headers) {
          response.writeHead(status, { 'content-type': String(headers['content-type']) })
        },
        onResponseData: (_controller, part) => void response.write(part),
        onResponseEnd: () => void response.end(),
        onResponseError: (_controller, error) => void response.destroy(error),
      },
    )
  })
})
server.listen(Number(ASSAY_PORT), '127.0.0.1')
process.once('SIGTERM', () => process.exit(0))
