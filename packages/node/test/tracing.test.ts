import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTracing } from '@assay/chain/tracing'
import { startOtlpReceiver } from '../../../test/otlpReceiver.ts'
import { chatBody, PATH, PLENTY, paidHeaders, payment, startTestServer } from './harness.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const GATEWAY_SPAN = '00f067aa0ba902b7'

test('a node traces its work under the span that asked, without a word of what was said', async () => {
  const receiver = await startOtlpReceiver()
  const node = await startTestServer()
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url
  const stop = await startTracing('node')
  try {
    const body = chatBody()
    const headers = await paidHeaders(await payment(PLENTY))
    const answer = await fetch(`${node.url}${PATH}`, {
      method: 'POST',
      headers: { ...headers, traceparent: `00-${TRACE}-${GATEWAY_SPAN}-01` },
      body,
    })
    assert.equal(answer.status, 200, await answer.text())
  } finally {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT
    await node.close()
    await stop()
    receiver.close()
  }
  const spans = receiver.spans()
  const call = spans.find(({ name }) => name === `POST ${PATH}`)
  assert.equal(call?.parentSpanId, GATEWAY_SPAN)
  for (const name of ['run model', 'sign receipt']) {
    assert.equal(spans.find((span) => span.name === name)?.parentSpanId, call.spanId, name)
  }
  assert.ok(spans.every(({ traceId }) => traceId === TRACE))
  assert.ok(!receiver.text().includes('content'))
})
