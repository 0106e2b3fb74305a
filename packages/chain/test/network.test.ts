import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { AssayError, CONTRACT_NAMES, type Contracts, type Network } from '@assay/protocol'
import { developmentAccount, loadNetwork, pollLoop, saveNetwork } from '../src/index.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'assay-chain-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const file = path.join(folder, 'deep', 'network.json')
const { address } = developmentAccount(0)

const network: Network = {
  chainId: 31337,
  rpcUrl: 'http://127.0.0.1:8545',
  gatewayUrl: 'http://127.0.0.1:4020',
  deploymentId: `0x${'ab'.repeat(32)}`,
  contracts: Object.fromEntries(CONTRACT_NAMES.map((name) => [name, address])) as Contracts,
  gateway: address,
  nodes: [{ operator: address, url: 'http://127.0.0.1:4030' }],
  validators: [],
  accounts: { demo: developmentAccount(8) },
  models: [{ name: 'm', modelId: `0x${'01'.repeat(32)}`, contextLength: 2048, modes: ['tee'] }],
}

test('the network file comes back as it was written, and leaves nothing beside it', () => {
  saveNetwork(file, network)
  assert.deepEqual(loadNetwork(file), network)
  assert.deepEqual(readdirSync(path.dirname(file)), ['network.json'])
})

test('a missing, torn or wrong network file is an error that names it', () => {
  const failsWith = (code: string) => (error: unknown) =>
    error instanceof AssayError && error.code === code && error.message.includes('network.json')
  assert.throws(() => loadNetwork(path.join(folder, 'none', 'network.json')), failsWith('not_found'))
  mkdirSync(path.join(folder, 'folder', 'network.json'), { recursive: true })
  assert.throws(() => loadNetwork(path.join(folder, 'folder', 'network.json')), failsWith('config'))
  const wrong: unknown[] = [
    null,
    [],
    {},
    { ...network, chainId: '1' },
    { ...network, rpcUrl: 'file:///x' },
    { ...network, deploymentId: '0x12' },
    { ...network, contracts: { ...network.contracts, OPG: '0x12' } },
    { ...network, nodes: 5 },
    { ...network, accounts: { demo: { address } } },
  ]
  for (const value of wrong) {
    writeFileSync(file, JSON.stringify(value))
    assert.throws(() => loadNetwork(file), failsWith('malformed'), JSON.stringify(value))
  }
  writeFileSync(file, JSON.stringify(network).slice(0, -5))
  assert.throws(() => loadNetwork(file), failsWith('malformed'))
})

test('a poll loop runs one round at a time, outlives errors and stops', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  let running = 0
  let rounds = 0
  const errors: number[] = []
  const loop = pollLoop({
    interval: 1,
    async round() {
      assert.equal(++running, 1)
      await new Promise(setImmediate)
      running--
      if (++rounds === 1) throw new Error('once')
    },
    onError: (_, failures) => errors.push(failures),
  })
  while (rounds < 3) {
    context.mock.timers.tick(4)
    await new Promise(setImmediate)
  }
  await loop.stop()
  const atStop = rounds
  context.mock.timers.tick(60_000)
  await new Promise(setImmediate)
  assert.equal(rounds, atStop)
  assert.deepEqual(errors, [1])
})

test('a poll loop that is woken does not wait', async () => {
  let slow = 0
  let second = () => {}
  const woken = new Promise<void>((resolve) => {
    second = resolve
  })
  const sleeper = pollLoop({
    interval: 60_000,
    async round() {
      if (++slow === 2) second()
    },
  })
  await new Promise(setImmediate)
  sleeper.wake()
  await woken
  await sleeper.stop()
})
