import { ask } from '../http/ask.ts'
import type { Limits } from '../limits.ts'
import { type Log, messageOf } from '../log.ts'
import type { NodeAddress } from './discoverNodes.ts'
import { MAX_HEALTH_BYTES, readHealth } from './health.ts'
import { createNode, type InferenceNode } from './inferenceNode.ts'
import { readBounded } from './readBounded.ts'

const POLL_MS = 250
/** A node that stays away is asked less and less often, up to this, milliseconds. */
const SLOWEST_POLL_MS = 1000

export type NodePool = {
  /** All that are known, those that are draining too. */
  nodes: readonly InferenceNode[]
  byUrl(url: string): InferenceNode | undefined
  /** Looks at one node now. */
  refresh(node: InferenceNode): Promise<void>
  /** Reads the list of nodes again now. */
  discover(): Promise<void>
  close(): Promise<void>
}

/**
 * Keeps the list of nodes and what they say of themselves fresh. A node that leaves the list gets nothing new and is kept
 * until what it was answering is over and its receipts can no longer be wanted.
 * @param list where nodes are now; a throw leaves the list as it was
 */
export async function createNodePool(
  list: () => Promise<NodeAddress[]>,
  limits: Limits,
  log: Log,
): Promise<NodePool> {
  const nodes: InferenceNode[] = []
  const timers = new Map<InferenceNode, NodeJS.Timeout>()
  /** When those that left the list are forgotten: one date each, and none for who came back. */
  const farewells = new Map<InferenceNode, NodeJS.Timeout>()
  let closed = false

  async function refresh(node: InferenceNode): Promise<void> {
    const healthy = await isHealthy(node, limits)
    if (healthy !== node.healthy) log('node_health', { node: node.operator, url: node.url, healthy })
    node.healthy = healthy
  }

  function watch(node: InferenceNode, delayMs: number): void {
    if (closed || !nodes.includes(node)) return
    const timer = setTimeout(async () => {
      await refresh(node)
      watch(node, node.healthy ? POLL_MS : Math.min(delayMs * 2, SLOWEST_POLL_MS))
    }, delayMs)
    timer.unref()
    timers.set(node, timer)
  }

  function drain(node: InferenceNode): void {
    node.draining = true
    log('node_draining', { node: node.operator, url: node.url, running: node.running })
    const timer = setTimeout(() => {
      if (node.running > 0) return drain(node)
      farewells.delete(node)
      nodes.splice(nodes.indexOf(node), 1)
      clearTimeout(timers.get(node))
      timers.delete(node)
      void node.pool.destroy()
    }, limits.recoverMs)
    timer.unref()
    farewells.set(node, timer)
  }

  function keep(node: InferenceNode): void {
    node.draining = false
    clearTimeout(farewells.get(node))
    farewells.delete(node)
  }

  async function discover(): Promise<void> {
    let addresses: NodeAddress[]
    try {
      addresses = await list()
    } catch (error) {
      log('discovery_failed', { why: messageOf(error) })
      return
    }
    if (closed) return
    const added: InferenceNode[] = []
    for (const address of addresses) {
      const known = nodes.find(
        ({ operator, url }) => url === address.url && operator === address.operator.toLowerCase(),
      )
      if (known !== undefined) keep(known)
      else added.push(createNode(address, limits))
    }
    nodes.push(...added)
    for (const node of nodes) {
      const listed = addresses.some(
        ({ operator, url }) => url === node.url && operator.toLowerCase() === node.operator,
      )
      if (!listed && !node.draining) drain(node)
    }
    await Promise.all(added.map(refresh))
    for (const node of added) watch(node, POLL_MS)
  }

  await discover()
  let discovering = false
  const timer = setInterval(() => {
    if (discovering) return
    discovering = true
    void discover().finally(() => {
      discovering = false
    })
  }, limits.discoverMs)
  timer.unref()

  return {
    nodes,
    byUrl: (url) => nodes.find((node) => node.url === url),
    refresh,
    discover,
    async close() {
      closed = true
      clearInterval(timer)
      for (const watching of timers.values()) clearTimeout(watching)
      await Promise.all(nodes.map((node) => node.pool.destroy()))
    },
  }
}

/** Asks a node how it is, and notes what it says of itself. */
async function isHealthy(
  node: InferenceNode,
  { healthTimeoutMs }: Pick<Limits, 'healthTimeoutMs'>,
): Promise<boolean> {
  const signal = AbortSignal.timeout(healthTimeoutMs)
  try {
    const answer = await ask(node.pool, { method: 'GET', path: '/health', signal })
    node.unanswered = 0
    const health = readHealth((await readBounded(answer.body, MAX_HEALTH_BYTES)).toString())
    if (answer.statusCode !== 200 || health === undefined) return false
    if (health.operator !== undefined && health.operator !== node.operator) return false
    node.confidentialKeys = health.confidentialKeys
    node.offers = health.offers
    node.queued = health.queued
    return true
  } catch {
    // A connection that is refused is an answer too: what was asked over another may still be under way.
    node.unanswered = signal.aborted ? node.unanswered + 1 : 0
    // Unreachable or talking nonsense: either way nothing is sent to it until a later look.
    return false
  }
}
