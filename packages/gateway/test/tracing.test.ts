import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { endSpan, startSpan, startTracing } from '@assay/chain/tracing'
import { type OtlpSpan, startOtlpReceiver } from '../../../test/otlpReceiver.ts'
import { BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'

/** What the node was sent last, as it was on the wire. */
function traceparentAt({ node }: Harness): string | undefined {
  const raw = node.requests.at(-1)?.rawHeaders ?? []
  return raw[raw.findIndex((name) => name.toLowerCase() === 'traceparent') + 1]
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const CLIENT_SPAN = '00f067aa0ba902b7'

test('a call is one trace from its client over gateway and node into its batch, without a word of what was said', async () => {
  const receiver = await startOtlpReceiver()
  const harness = await startHarness()
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url
  const stop = await startTracing('gateway')
  try {
    harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{"said":"tides"}') }
    const headers = await harness.payFor(BODY)
    const traceparent = `00-${TRACE}-${CLIENT_SPAN}-01`
    const answer = await harness.post(BODY, { ...headers, traceparent })
    assert.equal(answer.status, 200)
    await answer.arrayBuffer()
    while (!harness.chain.log.some((line) => line.startsWith('commit:'))) await harness.gateway.batcher.tick()
    await harness.gateway.batcher.idle()
  } finally {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT
    await harness.close()
    await stop()
    receiver.close()
  }
  const spans = receiver.spans()
  const only = (name: string): OtlpSpan => {
    const found = spans.filter(
      (span) => span.name === name && (name === 'commit batch' || span.traceId === TRACE),
    )
    assert.equal(found.length, 1, name)
    return found[0] as OtlpSpan
  }
  const call = only('POST /v1/chat/completions')
  assert.equal(call.parentSpanId, CLIENT_SPAN)
  for (const name of ['ask node', 'record receipt', 'in batch'])
    assert.equal(only(name).parentSpanId, call.spanId)
  const batch = only('commit batch')
  assert.deepEqual(
    batch.links?.map(({ traceId, spanId }) => [traceId, spanId]),
    [[TRACE, call.spanId]],
  )
  assert.equal(only('in batch').links?.[0]?.spanId, batch.spanId)
  assert.equal(traceparentAt(harness), `00-${TRACE}-${only('ask node').spanId}-01`)
  for (const word of ['hello', 'messages', 'tides']) assert.ok(!receiver.text().includes(word), word)
})

test('a collector that is away, or never answers, costs its spans and not the end of the process', async (t) => {
  const silent = createServer(() => {})
  t.after(() => {
    silent.close()
    silent.closeAllConnections()
  })
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  const { port } = silent.address() as AddressInfo
  // Port 9 is that of the discard service: nobody listens.
  for (const url of ['http://127.0.0.1:9', `http://127.0.0.1:${port}`]) {
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = url
    const stop = await startTracing('gateway')
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT
    endSpan(startSpan('unheard'))
    // Against a timer, not a clock: of two timers the earlier is the first however long the process stood still.
    const ended = await Promise.race([stop().then(() => true), delay(6000, false, { ref: false })])
    assert.ok(ended)
  }
})

test("where nothing is traced, the client's traceparent goes on to the node as it came", async () => {
  const harness = await startHarness()
  try {
    harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{"said":"tides"}') }
    const traceparent = `00-${TRACE}-${CLIENT_SPAN}-01`
    const answer = await harness.post(BODY, { ...(await harness.payFor(BODY)), traceparent })
    await answer.arrayBuffer()
    assert.equal(answer.status, 200)
    assert.equal(traceparentAt(harness), traceparent)
  } finally {
    await harness.close()
  }
})
