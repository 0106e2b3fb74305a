import type { Gateway } from '@assay/gateway'
import { startGateway } from '@assay/gateway'
import type { Network } from '@assay/protocol'
import type { Database } from '@assay/store'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import type { Limits } from '../src/limits.ts'
import type { NodeSource } from '../src/nodes/discoverNodes.ts'
import { createFakeChain, type FakeChain } from './fakeChain.ts'
import { createPayer, GATEWAY_KEY, networkWith } from './fixtures.ts'
import { type StubNode, startStubNode } from './stubNode.ts'

export type Harness = {
  gateway: Gateway
  node: StubNode
  chain: FakeChain
  directory: string
  logs: string[]
  /** A payer with funds. */
  payer(scheme?: 'exact' | 'upto', balance?: bigint): ReturnType<typeof createPayer>
  post(body: string | Uint8Array, headers?: Record<string, string>, init?: RequestInit): Promise<Response>
  /** Gets the 402, signs a payment for it, returns the headers. */
  payFor(body: string, payer?: ReturnType<typeof createPayer>, name?: string): Promise<Record<string, string>>
  metrics(): Promise<string>
  close(): Promise<void>
}

export async function startHarness(
  options: {
    database?: Database
    databaseUrl?: string | undefined
    limits?: Partial<Limits>
    batch?: { maxReceipts?: number; maxDelayMs?: number }
    directory?: string
    chain?: FakeChain
    node?: StubNode
    /** Nodes beside `node`. */
    others?: StubNode[]
    source?: NodeSource
    profile?: Network['profile']
  } = {},
): Promise<Harness> {
  const node = options.node ?? (await startStubNode())
  const chain = options.chain ?? createFakeChain()
  const directory = options.directory ?? temporaryFolder('gateway')
  const logs: string[] = []
  const gateway = await startGateway({
    network: {
      ...networkWith(
        [node, ...(options.others ?? [])].map(({ url, world }) => ({ operator: world.operator, url })),
      ),
      profile: options.profile,
    },
    nodes: options.source,
    privateKey: GATEWAY_KEY,
    dataDir: directory,
    port: 0,
    database: options.database,
    databaseUrl: options.databaseUrl,
    chain,
    batch: { maxDelayMs: 50, ...options.batch },
    limits: options.limits,
    log: (event, facts) => {
      logs.push(
        `${event} ${JSON.stringify(facts, (_name, value) => (typeof value === 'bigint' ? `${value}` : value))}`,
      )
    },
  })
  function payer(scheme: 'exact' | 'upto' = 'upto', balance = 10n ** 24n) {
    const made = createPayer(scheme)
    chain.balances.set(made.address.toLowerCase(), balance)
    return made
  }
  const post: Harness['post'] = (body, headers = {}, init = {}) =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      body: body as string,
      headers: { 'content-type': 'application/json', ...headers },
      ...init,
    })
  return {
    gateway,
    node,
    chain,
    directory,
    logs,
    payer,
    post,
    async payFor(body, by = payer(), name = undefined) {
      const unpaid = await post(body)
      if (unpaid.status !== 402)
        throw new Error(`expected a 402, got ${unpaid.status}: ${await unpaid.text()}`)
      await unpaid.arrayBuffer()
      return by.sign(unpaid, name)
    },
    metrics: async () => (await fetch(`${gateway.url}/metrics`)).text(),
    async close() {
      await gateway.close()
      if (options.node === undefined) await node.close()
    },
  }
}
