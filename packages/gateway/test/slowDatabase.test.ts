/** A gateway whose PostgreSQL answers, and takes its time: what is in time is served, what is too much is refused, and no call is lost. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openDatabase } from '@assay/store'
import { generatePaymentId } from '@x402/extensions/payment-identifier'
import { startWire, type Wire } from '../../../test/history/wire.ts'
import { type PostgresServer, postgresMissing, startPostgres } from '../../../test/postgres/startPostgres.ts'
import { BODY, headOf, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** More calls than a gateway has statements under way and waiting (`postgres.ts`: 16 and 256). */
const TOO_MANY = 340
const PATHS = ['/v1/chat/completions', '/v1/messages'] as const
type Path = (typeof PATHS)[number]

describe('a gateway on a PostgreSQL that is slow', { skip: postgresMissing() }, () => {
  let server: PostgresServer
  let wire: Wire
  let databaseUrl: string
  let gateway: Harness
  before(async () => {
    server = await startPostgres()
    wire = await startWire(server.port)
    databaseUrl = await server.createDatabase()
    gateway = await startHarness({
      databaseUrl: databaseUrl.replace(String(server.port), String(wire.port)),
      // So many calls at once keep this process busy, and the node answers out of it.
      limits: { maxConcurrent: 2 * TOO_MANY, healthTimeoutMs: 300_000 },
    })
  })
  after(async () => {
    await gateway?.close()
    await wire?.close()
    await server?.close()
  })

  type Call = {
    path: Path
    payer: ReturnType<Harness['payer']>
    name: string
    headers: Record<string, string>
  }
  async function pay({ path, payer, name }: Omit<Call, 'headers'>): Promise<Record<string, string>> {
    const unpaid = await post(path, {})
    await unpaid.arrayBuffer()
    return payer.sign(unpaid, name)
  }
  const post = (path: Path, headers: Record<string, string>) =>
    fetch(`${gateway.gateway.url}${path}`, {
      method: 'POST',
      headers: { ...headOf(path), ...headers },
      body: BODY,
    })

  test('calls wait for it and are served, whole and streamed', async () => {
    const [whole, streamed] = [await gateway.payFor(BODY), await gateway.payFor(STREAM_BODY)]
    wire.slow(150)
    gateway.node.script = { kind: 'whole', body: bytes('{}') }
    const answer = await gateway.post(BODY, whole)
    assert.equal(answer.status, 200, await answer.text())
    assert.ok(answer.headers.has('x-assay-receipt'))
    gateway.node.script = { kind: 'stream', chunks: [bytes('data: {"a":1}\n\n')] }
    const stream = await (await gateway.post(STREAM_BODY, streamed)).text()
    assert.match(stream, /: assay-receipt .*\ndata: \[DONE\]\n\n$/s)
    assert.ok(wire.quicken() > 0)
  })

  test('what is more than it can do is refused in the words of its dialect, may be sent again, and is paid once', async () => {
    gateway.node.script = { kind: 'whole', body: bytes('{}'), price: 5n }
    const calls: Call[] = []
    for (let at = 0; at < TOO_MANY; at++) {
      const call = {
        path: PATHS[at % PATHS.length] as Path,
        payer: gateway.payer(),
        name: generatePaymentId(),
      }
      calls.push({ ...call, headers: await pay(call) })
    }
    const served: string[] = []
    const refused: Call[] = []
    const paths = new Set<Path>()
    // Not a word of the database yet, so that the calls come together however slowly this machine sends them.
    wire.cut()
    await Promise.all(
      calls.map(async (call) => {
        const answer = await post(call.path, call.headers)
        const said = await answer.text()
        if (answer.status === 200) {
          served.push(answer.headers.get('x-assay-request-id') ?? '')
          return
        }
        assert.equal(answer.status, 503, said)
        const { type, error } = JSON.parse(said) as { type?: string; error: Record<string, string> }
        assert.equal(error.code, 'store_unavailable', said)
        assert.equal(type, call.path === '/v1/messages' ? 'error' : undefined)
        // Where a node had begun already, its payment is not taken again.
        const mayBeSentAgain = answer.headers.get('retry-after') === '1'
        const next = mayBeSentAgain ? /charged; try again/ : /charged; send .* with a new payment/
        assert.match(error.message ?? '', next)
        // Enough was seen: the others are to be served.
        if (paths.add(call.path).size === PATHS.length) wire.heal('resume')
        refused.push(mayBeSentAgain ? call : { ...call, headers: await pay(call) })
      }),
    )
    for (const path of PATHS) assert.ok(paths.has(path), `${path}: none was refused`)
    for (const call of refused) {
      const answer = await post(call.path, call.headers)
      assert.equal(answer.status, 200, await answer.text())
      served.push(answer.headers.get('x-assay-request-id') ?? '')
    }
    assert.equal(new Set(served).size, TOO_MANY)
    const database = await openDatabase({ directory: '', databaseUrl })
    try {
      const rows = await database.query<{ request_id: string; payer: string }>(
        'select request_id, payer from requests join receipts using (request_id)',
      )
      const kept = new Set(rows.map(({ request_id }) => request_id))
      const lost = served.filter((id) => !kept.has(id))
      assert.deepEqual(lost, [], 'receipts that were acknowledged and are not there')
      assert.equal(new Set(rows.map(({ payer }) => payer)).size, rows.length, 'a call was charged twice')
    } finally {
      await database.close()
    }
  })
})
