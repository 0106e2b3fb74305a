import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { saveNetwork } from '@assay/chain'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { networkWith } from '../../gateway/test/fixtures.ts'

const MAIN = path.join(import.meta.dirname, '..', 'src', 'main.ts')

test('what was asked before the input ended is answered all the same: it may be paid for', async () => {
  const home = temporaryFolder('mcp')
  const network = path.join(home, 'network.json')
  const asked = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  // A gateway that answers once nobody asks any more.
  const gateway = createServer((_, response) => {
    asked.resolve()
    void ended.promise.then(() => response.writeHead(404).end())
  })
  gateway.listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  saveNetwork(network, { ...networkWith([]), gatewayUrl })
  const server = spawn(process.execPath, [MAIN, 'mcp', '--network', network], {
    env: { ...process.env, ASSAY_HOME: home, ASSAY_WALLET_KEY: `0x${'11'.repeat(32)}` },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  try {
    const said = text(server.stdout)
    const tell = (message: object) =>
      server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
    const clientInfo = { name: 'test', version: '1' }
    const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo }
    tell({ id: 1, method: 'initialize', params })
    tell({ method: 'notifications/initialized' })
    const requestId = `0x${'22'.repeat(32)}`
    tell({ id: 2, method: 'tools/call', params: { name: 'assay_verify', arguments: { requestId } } })
    await asked.promise
    server.stdin.end()
    // Nothing tells that the server saw the end; were it not there yet, the test would pass all the same.
    setTimeout(ended.resolve, 300)
    assert.match(await said, /knows no such request[^\n]*"id":2/)
  } finally {
    server.kill('SIGKILL')
    gateway.closeAllConnections()
    gateway.close()
  }
})
