import { Pool } from 'undici'
import type { Address } from 'viem'
import type { Limits } from '../limits.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import type { NodeAddress } from './discoverNodes.ts'
import type { Offer } from './health.ts'
import { createLatency, type Latency } from './latency.ts'

/** One inference node as the router knows it. */
export type InferenceNode = {
  /** Lower case. */
  operator: Address
  url: string
  pool: Pool
  /** Whether its last health check was answered well. */
  healthy: boolean
  /** Health checks one after another that it left without a word: not even that it is ill, or gone. */
  unanswered: number
  /** No longer listed: what it is answering is finished, nothing new is sent. */
  draining: boolean
  /** What it last said that it serves, by the model's name. */
  offers: ReadonlyMap<string, Offer>
  /** Keys of its enclave that may be encrypted to: two, while one takes the other's place. */
  confidentialKeys: ReadonlySet<string>
  /** Keys of its offers that the chain does not let sign; everything else is thought good until its receipt is checked. */
  badKeys: ReadonlySet<Address>
  /** Requests of ours that it is answering. */
  running: number
  /** Its own queue at the last look. */
  queued: number
  /** What our requests at it put at risk that no batch shows yet, OPG base units. */
  atRisk: bigint
  latency: Latency
  breaker: Breaker
}

/** Connections for what is asked beside requests: a node that has all of them must still be able to say how it is. */
const BESIDE_REQUESTS = 8

export function createNode({ operator, url, pinned }: NodeAddress, limits: Limits): InferenceNode {
  return {
    operator: operator.toLowerCase() as Address,
    url,
    pool: new Pool(url, {
      connections: limits.maxConcurrent + BESIDE_REQUESTS,
      headersTimeout: limits.nodeHeadMs,
      bodyTimeout: limits.nodeTimeoutMs,
      connectTimeout: 5000,
      // A stranger's name is looked up once, judged, and not looked up again for the connection.
      ...(pinned === undefined
        ? {}
        : { connect: { lookup: (_host, _options, done) => done(null, [pinned]), timeout: 5000 } }),
    }),
    healthy: false,
    unanswered: 0,
    draining: false,
    offers: new Map(),
    confidentialKeys: new Set(),
    badKeys: new Set(),
    running: 0,
    queued: 0,
    atRisk: 0n,
    latency: createLatency(),
    breaker: createBreaker(),
  }
}

/** Unanswered checks after which a node is thought to hang. */
const HANGS_AFTER = 3

/** Whether nothing will come of what the node was asked: one that only takes long still says how it is. */
export function hangs(node: InferenceNode): boolean {
  return node.unanswered >= HANGS_AFTER
}

/** Requests that stand before a new one: ours are counted now, its own queue a moment ago; the larger is the better guess. */
export function loadOf(node: InferenceNode): number {
  return Math.max(node.running, node.queued)
}
