import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { saveNetwork } from '@assay/chain'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { networkWith } from '../../gateway/test/fixtures.ts'

const MAIN = path.join(import.meta.dirname, '..', 'src', 'main.ts')

type Server = { tell(message: object): void; end(): void; said: Promise<string> }

/** `assay mcp` over a gateway, its conversation begun. */
async function withServer(
  answer: RequestListener,
  options: string[],
  run: (server: Server) => Promise<void>,
): Promise<void> {
  const home = temporaryFolder('mcp')
  const network = path.join(home, 'network.json')
  const gateway = createServer(answer).listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  saveNetwork(network, { ...networkWith([]), gatewayUrl })
  const server = spawn(process.execPath, [MAIN, 'mcp', '--network', network, ...options], {
    env: { ...process.env, ASSAY_HOME: home, ASSAY_WALLET_KEY: `0x${'11'.repeat(32)}` },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const tell = (message: object) => {
    server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  }
  try {
    const clientInfo = { name: 'test', version: '1' }
    const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo }
    tell({ id: 1, method: 'initialize', params })
    tell({ method: 'notifications/initialized' })
    await run({ tell, end: () => server.stdin.end(), said: text(server.stdout) })
  } finally {
    server.kill('SIGKILL')
    gateway.closeAllConnections()
    gateway.close()
  }
}

test('what was asked before the input ended is answered all the same: it may be paid for', async () => {
  const asked = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  // A gateway that answers once nobody asks any more.
  const answer: RequestListener = (_, response) => {
    asked.resolve()
    void ended.promise.then(() => response.writeHead(404).end())
  }
  await withServer(answer, [], async ({ tell, end, said }) => {
    const requestId = `0x${'22'.repeat(32)}`
    tell({ id: 2, method: 'tools/call', params: { name: 'assay_verify', arguments: { requestId } } })
    await asked.promise
    end()
    // Nothing tells that the server saw the end; were it not there yet, the test would pass all the same.
    setTimeout(ended.resolve, 300)
    assert.match(await said, /knows no such request[^\n]*"id":2/)
  })
})

test('a cancelled call leaves its gateway, which stops the model; the next is answered', {
  timeout: 20_000,
}, async () => {
  const asked = Promise.withResolvers<void>()
  const left = Promise.withResolvers<void>()
  // A model that is at work for as long as somebody listens.
  const answer: RequestListener = (_, response) => {
    response.once('close', left.resolve)
    asked.resolve()
  }
  await withServer(answer, ['--key', `assay_${'A'.repeat(43)}`], async ({ tell, end, said }) => {
    tell({ id: 2, method: 'tools/call', params: { name: 'assay_infer', arguments: { prompt: 'Hi' } } })
    await asked.promise
    tell({
      method: 'notifications/cancelled',
      params: { requestId: 2, reason: 'the user has changed his mind' },
    })
    await left.promise
    tell({ id: 3, method: 'tools/list' })
    end()
    const lines = await said
    assert.match(lines, /"id":3/)
    assert.doesNotMatch(lines, /"id":2/)
  })
})
