import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { saveNetwork } from '@assay/chain'
import { freePorts } from '../../../test/freePorts.ts'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { networkWith } from '../../gateway/test/fixtures.ts'

const MAIN = path.join(import.meta.dirname, '..', 'src', 'main.ts')

test('a proxy that is stopped holds its folder until the last stream that it pays for is read', async () => {
  const home = temporaryFolder('proxy-lock')
  const ending = Promise.withResolvers<void>()
  const gateway = createServer((request, response) => {
    if (request.url?.endsWith('/stop') === true) return void response.end('{}')
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'x-assay-request-id': `0x${'11'.repeat(32)}`,
    })
    response.write('data: {"choices":[]}\n\n')
    void ending.promise.then(() => response.destroy())
  })
  gateway.listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  const network = path.join(home, 'network.json')
  const gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  saveNetwork(network, { ...networkWith([]), gatewayUrl })
  const port = await freePorts(2)
  const start = (at: number) => {
    const options = ['--json', '--port', String(at), '--network', network, '--key', `assay_${'A'.repeat(43)}`]
    return spawn(process.execPath, [MAIN, 'proxy', ...options], {
      env: { ...process.env, ASSAY_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }
  const proxy = start(port)
  try {
    const exited = once(proxy, 'exit')
    const [ready] = (await once(proxy.stdout, 'data')) as [Buffer]
    const { url, token } = JSON.parse(ready.toString()) as { url: string; token: string }
    const left = once(proxy.stderr, 'data')
    const [{ name } = { name: '' }] = networkWith([]).models
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ model: name, messages: [], stream: true }),
    })
    assert.equal(answer.status, 200)
    await answer.body?.getReader().read()
    proxy.kill('SIGTERM')
    await left
    const second = start(port + 1)
    const [told] = (await once(second.stdout, 'data')) as [Buffer]
    second.kill()
    assert.match(told.toString(), /already_running/, 'the first has the end of a stream to count')
    ending.resolve()
    await exited
    assert.ok(!existsSync(path.join(home, 'proxy.lock')))
  } finally {
    proxy.kill('SIGKILL')
    gateway.closeAllConnections()
    gateway.close()
  }
})
