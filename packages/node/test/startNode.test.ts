/** A node that only stands in front of other servers: a bonded key and no enclave, over a chain made of constants. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssayError, type Network } from '@assay/protocol'
import type { Address, PublicClient } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import type { UpstreamModel } from '../src/engines/upstream/readUpstreams.ts'
import { startNode } from '../src/startNode.ts'
import { DEPLOYMENT, OPERATOR } from './harness.ts'

const address = (byte: string): Address => `0x${byte.repeat(20)}`
const network = {
  chainId: DEPLOYMENT.chainId,
  rpcUrl: 'http://127.0.0.1:1',
  deploymentId: DEPLOYMENT.deploymentId,
  contracts: {
    Settlement: DEPLOYMENT.settlement,
    TeeRegistry: address('b1'),
    NodeBond: address('b2'),
    ModelRegistry: address('b3'),
    InferenceEscrow: address('b4'),
    OPG: address('b5'),
  },
} as Network

const model: UpstreamModel = {
  manifest: {
    name: 'run-elsewhere',
    engine: 'upstream:openai-compatible:theirs',
    files: [],
    contextLength: 100,
    license: 'MIT',
    modes: ['bonded'],
  },
  engine: {
    contextLength: 100,
    concurrency: 1,
    targets: [
      { provider: 'openai-compatible', baseUrl: 'http://127.0.0.1:1', model: 'theirs', key: undefined },
    ],
  },
}

test('it registers the bonded key alone, and says that no hardware is behind it', async (t) => {
  const sent: { functionName: string; args: readonly unknown[] }[] = []
  const reads: Record<string, () => unknown> = {
    currentPriceVersion: () => 1n,
    priceRow: () => [1n, 1n, 1n, 0n],
    node: () => [0n, 0n, 0n, 'http://elsewhere', true],
    key: () => {
      const isKnown = sent.some(({ functionName }) => functionName === 'registerBondedKey')
      const since = BigInt(Math.floor(Date.now() / 1000))
      return [OPERATOR, '0x', '0x', '0x', 4, '0x', isKnown ? since : 0n, 0n, true]
    },
    term: () => [0n, 0n],
    isKeyValidAt: () => true,
  }
  const client = {
    getBlock: async () => ({ number: 1n, hash: DEPLOYMENT.deploymentId, timestamp: 1n }),
    getBlockNumber: async () => 20n,
    readContract: async ({ functionName }: { functionName: string }) => reads[functionName]?.(),
  } as unknown as PublicClient
  const node = await startNode({
    network,
    client,
    sender: {
      address: OPERATOR,
      send: async ({ functionName, args }) => sent.push({ functionName, args }),
    },
    dataDir: temporaryFolder('node'),
    port: 0,
    local: false,
    upstreams: [model],
  })
  t.after(() => node.close())
  await node.ready
  assert.deepEqual(
    sent.map(({ functionName, args }) => [functionName, args[0]]),
    [
      ['setUrl', node.url],
      ['registerBondedKey', node.key],
    ],
  )
  const health = await fetch(`${node.url}/health`)
  assert.equal(health.status, 200)
  const { key, hardware, simulated, models } = (await health.json()) as Record<string, unknown>
  assert.deepEqual([key, hardware, simulated], [node.key, 'none', false])
  assert.deepEqual(
    (models as { name: string; modes: string[] }[]).map(({ name, modes }) => [name, modes]),
    [['run-elsewhere', ['bonded']]],
  )
})

test('without any model it does not start', async () => {
  await assert.rejects(
    startNode({
      network,
      client: {} as PublicClient,
      sender: { address: OPERATOR, send: async () => undefined },
      dataDir: temporaryFolder('node'),
      port: 0,
      local: false,
    }),
    (error: unknown) => error instanceof AssayError && error.code === 'config',
  )
})
