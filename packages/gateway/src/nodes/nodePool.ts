import type { Network } from '@assay/protocol'
import { Pool } from 'undici'
import type { Address } from 'viem'
import type { Limits } from '../limits.ts'
import type { Log } from '../log.ts'

const POLL_MS = 250
const MAX_HEALTH_BYTES = 64 * 1024

export type InferenceNode = {
  operator: Address
  url: string
  pool: Pool
  healthy: boolean
  /** Names of the models it serves. */
  models: Set<string>
  /** Keys of its enclave that may be encrypted to: two, while one takes the other's place. */
  confidentialKeys: ReadonlySet<string>
  /** Requests of ours that it is answering. */
  running: number
  /** Its own queue at the last look. */
  queued: number
}

export type NodePool = {
  nodes: readonly InferenceNode[]
  /** The least busy healthy node that serves the model, among these operators where any are given. */
  pick(model: string, among?: readonly Address[]): InferenceNode | undefined
  byUrl(url: string): InferenceNode | undefined
  /** Looks at one node now. */
  refresh(node: InferenceNode): Promise<void>
  close(): Promise<void>
}

/** Reads a body up to a bound. @throws RangeError when it is longer */
export async function readBounded(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) throw new RangeError(`The body is longer than ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** What is used of a node's GET /health; everything else in it is ignored. */
function readHealth(
  text: string,
): { confidentialKeys: Set<string>; models: string[]; queued: number } | undefined {
  const value = JSON.parse(text) as {
    confidentialKeys?: unknown
    models?: unknown
    queue?: { running?: unknown; waiting?: unknown }
  }
  if (!Array.isArray(value.models)) return undefined
  const named: unknown[] = Array.isArray(value.confidentialKeys) ? value.confidentialKeys : []
  const keys = named.slice(0, 8).filter((key) => typeof key === 'string')
  const models = value.models
    .slice(0, 1024)
    .flatMap((model: { name?: unknown }) => (typeof model?.name === 'string' ? [model.name] : []))
  const queued = Number(value.queue?.running ?? 0) + Number(value.queue?.waiting ?? 0)
  const confidentialKeys = new Set(keys.map((key) => key.toLowerCase()))
  return { confidentialKeys, models, queued: Number.isFinite(queued) ? queued : 0 }
}

export async function createNodePool(network: Network, limits: Limits, log: Log): Promise<NodePool> {
  const nodes: InferenceNode[] = network.nodes.map(({ operator, url }) => ({
    operator: operator.toLowerCase() as Address,
    url,
    pool: new Pool(url, {
      connections: limits.maxConcurrent,
      headersTimeout: limits.nodeTimeoutMs,
      bodyTimeout: limits.nodeTimeoutMs,
      connectTimeout: 5000,
    }),
    healthy: false,
    models: new Set(),
    confidentialKeys: new Set(),
    running: 0,
    queued: 0,
  }))

  async function refresh(node: InferenceNode): Promise<void> {
    let healthy = false
    try {
      const signal = AbortSignal.timeout(5000)
      const answer = await node.pool.request({ method: 'GET', path: '/health', signal })
      const health = readHealth((await readBounded(answer.body, MAX_HEALTH_BYTES)).toString())
      if (answer.statusCode === 200 && health !== undefined) {
        healthy = true
        node.confidentialKeys = health.confidentialKeys
        node.models = new Set(health.models)
        node.queued = health.queued
      }
    } catch {
      // Unreachable or talking nonsense: either way nothing is sent to it until a later look.
    }
    if (healthy !== node.healthy) log('node_health', { node: node.operator, url: node.url, healthy })
    node.healthy = healthy
  }

  await Promise.all(nodes.map(refresh))
  let polling = false
  const timer = setInterval(() => {
    if (polling) return
    polling = true
    void Promise.all(nodes.map(refresh)).finally(() => {
      polling = false
    })
  }, POLL_MS)
  timer.unref()

  return {
    nodes,
    pick(model, among = []) {
      let best: InferenceNode | undefined
      for (const node of nodes) {
        if (!node.healthy || !node.models.has(model)) continue
        if (among.length > 0 && !among.includes(node.operator)) continue
        // Ours are counted now, its own queue a moment ago: the larger of the two is the better guess.
        if (best === undefined || busyness(node) < busyness(best)) best = node
      }
      return best
    },
    byUrl: (url) => nodes.find((node) => node.url === url),
    refresh,
    async close() {
      clearInterval(timer)
      await Promise.all(nodes.map((node) => node.pool.destroy()))
    },
  }
}

function busyness(node: InferenceNode): number {
  return Math.max(node.running, node.queued)
}
