import type { BatchEntry, Deployment, Network, NetworkModel, PriceRow, Receipt } from '@assay/protocol'
import type { Database, NewReceipt } from '@assay/store'
import type { GrantAccount } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { GatewayChain } from './chain/gatewayChain.ts'
import type { Keys } from './grants/keys.ts'
import type { Places } from './grants/places.ts'
import type { Names } from './idempotency/names.ts'
import type { Limits } from './limits.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { InferenceNode } from './nodes/inferenceNode.ts'
import type { NodePool } from './nodes/nodePool.ts'
import type { Standing } from './nodes/standing.ts'
import type { Statements } from './opengradient/statements.ts'
import type { Allowance } from './payment/allowance.ts'
import type { Claims } from './payment/claims.ts'
import type { FreshNonces } from './payment/freshNonces.ts'
import type { FundsCache } from './payment/fundsCache.ts'
import type { Ledger } from './payment/ledger.ts'
import type { Openings } from './payment/openings.ts'

/** What one running gateway is made of; every part takes what it needs from here. */
export type Context = {
  network: Network
  deployment: Deployment
  /** Gateway operator, lower case. */
  committer: Address
  till: Address
  /** Id that this process drew when it started. */
  instance: string
  database: Database
  chain: GatewayChain
  nodes: NodePool
  ledger: Ledger
  allowance: Allowance
  openings: Openings
  funds: FundsCache
  freshNonces: FreshNonces
  limits: Limits
  metrics: Metrics
  log: Log
  models: Map<string, NetworkModel>
  /** Price row in force, from a cache that the chain refreshes. */
  priceOf(modelId: Hex): Promise<PriceRow>
  /** Who stands behind an answer, from what was last read of the chain. */
  standing: Standing
  /** A grant's account, from a cache that the chain refreshes. */
  grantAccountOf(grantId: Hex): Promise<GrantAccount>
  /** What clients call their requests, and the answers that are kept for them. */
  names: Names
  /** API keys, by what they hash to. */
  keys: Keys
  /** Where calls under grants stand, and what is set aside for them. */
  places: Places
  /** Signature of the gateway operator over a digest. */
  sign(digest: Hex): Promise<Hex>
  /** Whether the chain lets this receipt's key sign it. */
  keyCounts(receipt: Receipt): Promise<boolean>
  /** Payments that are claimed for their requests. */
  claims: Claims
  /** Makes a checked receipt durable: receipt, outbox and payment together. */
  record(signed: BatchEntry, scheme: number, terms: Pick<NewReceipt, 'unlessEnded'>): Promise<void>
  /** Ends a request without a receipt and frees what was set aside for it; later, where the database is away now. */
  end(requestId: Hex, state: 'failed' | 'released'): Promise<void>
  /** Requests that this process is relaying now; recovery leaves them alone. */
  inFlight: Set<Hex>
  /** What enclaves say in OpenGradient's wire format; under its profile alone. */
  statements?: Statements | undefined
  /** Whether the process takes no new requests because it is about to stop. */
  draining: boolean
  /** Has the receipt looked for of a request whose client left before its end. */
  recover(requestId: Hex): void
  /** The node that answers each request which this process is relaying, by request id. */
  servedBy: Map<string, InferenceNode>
}
