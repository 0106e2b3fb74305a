import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { type Devnet, startDevnet } from '../src/index.ts'

let devnet: Devnet
let folder: string
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-chain-'))
  devnet = await startDevnet({ dir: folder, port: 0 })
})
after(async () => {
  await devnet.close()
  rmSync(folder, { recursive: true, force: true })
})

type Answer = { result?: unknown; error?: { code: number; message: string }; id?: unknown }

async function post(
  body: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; json: unknown }> {
  return new Promise((resolve, reject) => {
    const request = http.request(devnet.url, { method: 'POST', headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += String(chunk)
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) }))
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function call(method: string, params: unknown[] = []): Promise<Answer> {
  return (await post(JSON.stringify({ jsonrpc: '2.0', id: 'a', method, params }))).json as Answer
}

const zero = '0x0000000000000000000000000000000000000000'
const REFUSED = [
  'anvil_setBalance',
  'anvil_dumpState',
  'anvil_setCode',
  'anvil_impersonateAccount',
  'anvil_reset',
  'evm_mine',
  'evm_increaseTime',
  'evm_snapshot',
  'evm_revert',
  'hardhat_setBalance',
  'hardhat_reset',
  'eth_sendTransaction',
  'eth_sendUnsignedTransaction',
  'eth_sign',
  'eth_signTransaction',
  'eth_signTypedData_v4',
  'personal_sign',
  'personal_unlockAccount',
  'debug_traceTransaction',
  'txpool_content',
  'admin_nodeInfo',
  'ots_getApiLevel',
  'erigon_getHeaderByNumber',
  'eth_subscribe',
  'wallet_getCapabilities',
  'ETH_CHAINID',
  '',
  '__proto__',
  'constructor',
]

test('methods that could rewrite the chain or sign are refused with -32601', async () => {
  for (const method of REFUSED) {
    const answer = await call(method)
    assert.equal(answer.error?.code, -32601, method)
    assert.equal(answer.id, 'a')
  }
})

test('ordinary methods pass', async () => {
  assert.equal((await call('eth_chainId')).result, '0x7a69')
  assert.equal((await call('net_version')).result, '31337')
  assert.match(String((await call('web3_clientVersion')).result), /anvil/i)
  assert.equal((await call('eth_getBalance', [zero, 'latest'])).result, '0x0')
  assert.deepEqual((await call('eth_getLogs', [{ fromBlock: '0x0' }])).result, [])
  assert.ok((await call('eth_feeHistory', ['0x1', 'latest', []])).result)
  assert.equal((await call('eth_estimateGas', [{ to: zero, from: zero }])).result, '0x5208')
  assert.deepEqual((await call('eth_accounts')).result, [])
})

test('a batch keeps its order, its ids and refuses single entries', async () => {
  const { json } = await post(
    JSON.stringify([
      { jsonrpc: '2.0', id: 7, method: 'eth_chainId' },
      { jsonrpc: '2.0', id: 7, method: 'evm_mine' },
      5,
      { jsonrpc: '2.0', id: 'x', method: 'net_version', params: [] },
    ]),
  )
  const answers = json as Answer[]
  assert.deepEqual(
    answers.map((answer) => [answer.id, answer.result ?? answer.error?.code]),
    [
      [7, '0x7a69'],
      [7, -32601],
      [null, -32600],
      ['x', '31337'],
    ],
  )
  const many = Array.from({ length: 1001 }, () => ({ jsonrpc: '2.0', id: 1, method: 'eth_chainId' }))
  assert.equal(((await post(JSON.stringify(many))).json as Answer).error?.code, -32600)
  assert.equal(((await post('[]')).json as Answer).error?.code, -32600)
})

test('bad bodies, foreign hosts and web pages are turned away', async () => {
  assert.equal(((await post('{')).json as Answer).error?.code, -32700)
  assert.equal(((await post('null')).json as Answer).error?.code, -32600)
  assert.equal(((await post('{"method":"eth_chainId","params":{}}')).json as Answer).error?.code, -32602)
  assert.equal((await post('{}', { host: 'evil.example' })).status, 403)
  assert.equal((await post('{}', { host: '127.0.0.1.evil.example:8545' })).status, 403)
  assert.equal((await post('{}', { origin: 'https://evil.example' })).status, 403)
  assert.equal(
    (await post('{}', { 'content-length': '99999999' }).catch(() => ({ status: 413 }))).status,
    413,
  )
  const health = await fetch(`${devnet.url}/health`)
  assert.equal(health.status, 200)
  assert.equal(health.headers.get('access-control-allow-origin'), null)
  assert.equal((await fetch(devnet.url)).status, 405)
})
