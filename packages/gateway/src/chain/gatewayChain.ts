import type {
  Batch,
  BatchEntry,
  BatchHeader,
  GrantRow,
  GroupHeader,
  InclusionProof,
  PriceRow,
} from '@assay/protocol'
import type { ChainView, CheckedPayment, GrantAccount, SettledRow } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { OpenGradientChain } from '../opengradient/connectOpenGradient.ts'
import type { DataChallenges } from './dataChallenges.ts'
import type { KnownBlock, UsedNonces } from './usedNonces.ts'

/** States of `Settlement.batch`. */
export const CHAIN_BATCH = { none: 0, committed: 1, attested: 2, final: 3, void: 4, expired: 5 } as const
/** States of `InferenceEscrow.payment`. */
export const CHAIN_PAYMENT = { none: 0, locked: 1, paid: 2, refunded: 3 } as const

export type ChainBatch = {
  state: number
  committedAt: bigint
  committedBlock: bigint
  quorumAt: bigint
  /** Open challenges, which put finality off. */
  challenges: number
}
export type ChainPayment = { state: number }
/** What a payer could pay now, OPG base units; `allowance` is Permit2's. */
export type Funds = { balance: bigint; allowance: bigint }
/** What an operator's bond covers in all, and what open batches have reserved of that, OPG base units. */
export type Bond = { covered: bigint; open: bigint }
/** A payment to collect: what was authorised, as it was stored, and what is taken of it. */
export type CollectItem = { requestId: Hex; scheme: number; collect: string; amount: bigint }
export type SettleItem = { entry: BatchEntry; path: InclusionProof; batchId: Hex }

/** A row that a deposit paid for, by the event that says so. */
export type RowPayment = SettledRow & { grantId: Hex; transactionHash: Hex }

/**
 * All that the gateway asks of and says to the chain. Reads see the latest block; writes resolve with the hash of a mined
 * transaction and may be called while others are under way. Every one may throw: callers come back at the next tick.
 */
export type GatewayChain = DataChallenges & {
  till(): Promise<Address | undefined>
  openTill(url: string): Promise<void>
  head(): Promise<{ number: bigint; timestamp: bigint }>
  price(modelId: Hex): Promise<PriceRow>
  /** The model as published; undefined where it is not. */
  model(modelId: Hex): Promise<ChainView['model']>
  funds(payer: Address): Promise<Funds>
  /** Whether the payment's nonce can still be used. */
  nonceUnused(payment: CheckedPayment): Promise<boolean>
  /**
   * Nonces that a payer has used or cancelled in the token (EIP-3009), those behind a block or all of them; undefined where
   * that block is not on the chain any more.
   */
  noncesUsedBy(payer: Address, since?: KnownBlock | undefined): Promise<UsedNonces | undefined>
  /** Highest height this committer has committed. */
  lastHeight(): Promise<bigint>
  batches(batchIds: readonly Hex[]): Promise<ChainBatch[]>
  /** Who committed a batch, lower case; zero where the chain does not know it. */
  committerOf(batchId: Hex): Promise<Address>
  payments(requestIds: readonly Hex[]): Promise<ChainPayment[]>
  /** Seconds from quorum to finality, and from commit to expiry. */
  timing(): Promise<{ challengeWindow: bigint; attestTimeout: bigint }>
  /** Whether receipts of this key, for this operator and engine class, count that are issued at `at`, Unix seconds. */
  keyCounts(question: {
    key: Address
    node: Address
    engineClass: number
    bonded: boolean
    at: bigint
  }): Promise<boolean>
  /** What each operator's bond can cover in all, OPG base units. */
  coverage(operators: readonly Address[]): Promise<Map<Address, bigint>>
  /** By operator, lower case. */
  bonds(operators: readonly Address[]): Promise<Map<Address, Bond>>
  /** What validators lose who make a false receipt of an enclave final: their quorum's stake, as far as the fault takes it. */
  quorumAtStake(): Promise<bigint>
  /** Everybody who ever registered a bond and holds the least of it now, with the URL that stands there. */
  bondedOperators(): Promise<{ operator: Address; url: string }[]>
  /** Receipts of a committed batch that no honest validator calls good, and why. */
  badReceipts(batch: Batch): Promise<Map<Hex, string>>
  commit(header: BatchHeader, groups: readonly GroupHeader[]): Promise<Hex>
  /** Hash of the transaction that committed a batch, if the chain shows one. */
  commitTransaction(batchId: Hex, block: bigint): Promise<Hex | undefined>
  finalise(batchId: Hex): Promise<Hex>
  expire(batchId: Hex): Promise<Hex>
  /** Items of one scheme. A refused item does not stop the others; its reason is in `rejected`. */
  collect(
    items: readonly CollectItem[],
    /** Told the hash before the transaction is mined. */
    onBroadcast?: (hash: Hex) => void,
  ): Promise<{ transactionHash: Hex; rejected: Map<Hex, string> }>
  /** When a locked payment may go back to its payer, Unix seconds; a pause puts it off. */
  refundDueAt(requestId: Hex): Promise<bigint>
  /** Returns a payment that found no final batch to its payer. */
  refund(requestId: Hex): Promise<Hex>
  /** Receipts of final batches. One that escrow will not pay is in `skipped` with its reason. */
  settle(items: readonly SettleItem[]): Promise<{ transactionHash: Hex; skipped: Map<Hex, string> }>
  /** All zero for a grant that was never opened. */
  grantAccount(grantId: Hex): Promise<GrantAccount>
  /** What deposits have paid of a batch that was committed in this block. */
  rowPayments(batchId: Hex, committedBlock: bigint): Promise<RowPayment[]>
  /** Has deposits pay rows of a final batch. One that was paid is skipped. */
  settleRows(batchId: Hex, rows: readonly GrantRow[]): Promise<Hex>
  /** What deposits paid for a model at a node and nobody has passed on yet, OPG base units. */
  takings(modelId: Hex, node: Address): Promise<bigint>
  passOn(modelId: Hex, node: Address): Promise<Hex>
  /** Under the profile `opengradient` alone. */
  openGradient?: OpenGradientChain | undefined
}
