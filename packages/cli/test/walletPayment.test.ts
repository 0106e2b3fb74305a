import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { saveNetwork } from '@assay/chain'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import { BODY, networkWith } from '../../gateway/test/fixtures.ts'
import { startHarness } from '../../gateway/test/harness.ts'
import { runAssay } from './runAssay.ts'

test('wallet payment says what was taken of an exact payment and what of it came back', async () => {
  const harness = await startHarness()
  try {
    harness.node.script = { kind: 'whole', body: new TextEncoder().encode('{}'), price: 7n }
    const response = await harness.post(BODY, await harness.payFor(BODY, harness.payer('exact')))
    const requestId = response.headers.get('x-assay-request-id') ?? ''
    const file = path.join(temporaryFolder('cli'), 'network.json')
    saveNetwork(file, { ...networkWith([]), gatewayUrl: harness.gateway.url })
    const ask = async (...args: string[]) =>
      runAssay('wallet', 'payment', requestId, '--network', file, ...args)
    const payment = await until(async () => {
      const { code, out, err } = await ask('--json')
      assert.equal(code, 0, err)
      const { payment: found } = JSON.parse(out) as { payment: Record<string, string> | null }
      return found?.outcome === 'settled' && found
    })
    assert.equal(payment.taken, payment.authorised)
    assert.equal(BigInt(payment.returned ?? '0'), BigInt(payment.authorised ?? '0') - 7n)
    const { out } = await ask()
    assert.match(out, /outcome +settled \(settled\)[\s\S]*price +0\.000000000000000007 OPG[\s\S]*returned/)
    const unknown = await runAssay('wallet', 'payment', `0x${'00'.repeat(32)}`, '--network', file)
    assert.equal(unknown.code, 1)
    assert.match(unknown.err, /knows no such request/)
    saveNetwork(file, { ...networkWith([]), gatewayUrl: 'http://127.0.0.1:9' })
    const away = await ask()
    assert.equal(away.code, 3)
    assert.match(away.err, /does not show this request[\s\S]*assay status/)
  } finally {
    await harness.close()
  }
})

test('wallet payment says of an answer that tells of no payment that it cannot be read', async () => {
  const told = [
    '<html>',
    'null',
    '[]',
    '{}',
    '{"payment":7}',
    '{"payment":{"taken":"much"}}',
    '{"payment":{"state":{}}}',
  ]
  let answer = ''
  const server = createServer((_, response) => void response.end(answer))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  try {
    const { port } = server.address() as AddressInfo
    const file = path.join(temporaryFolder('cli'), 'network.json')
    saveNetwork(file, { ...networkWith([]), gatewayUrl: `http://127.0.0.1:${port}` })
    for (answer of told) {
      const { code, err } = await runAssay('wallet', 'payment', `0x${'11'.repeat(32)}`, '--network', file)
      assert.equal(code, 1, answer)
      assert.match(err, /cannot be read[\s\S]*assay verify 0x11/, answer)
    }
  } finally {
    server.close()
  }
})
