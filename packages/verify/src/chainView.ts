import type { BatchHeader, Deployment, ModelManifest, PriceRow, SpendingGrant } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import type { Rules } from './tee/policy/policyOfRules.ts'

/**
 * A registry record's life, Unix seconds: valid at t when `validFrom ≤ t` and (`revokedAt` = 0 or t < `revokedAt`), except
 * while the guardian had it suspended.
 */
export type Interval = {
  /** 0 = never approved. */
  validFrom: bigint
  /** 0 = not revoked. */
  revokedAt: bigint
  /** Not valid at t when `from ≤ t < until`. Absent, or with `from` = 0, where it never was suspended. */
  suspension?: { from: bigint; until: bigint } | undefined
}

/** TeeRegistry's record of a signing key; all hashes are zero for a bonded key. */
export type KeyView = Interval & {
  node: Address
  hardwareType: Hex
  rootHash: Hex
  measurement: Hex
  /** Bit i = engine class i allowed. */
  engineClasses: number
  /** Of the evidence that the key was admitted by; each renewal has its own. */
  evidenceHash: Hex
  bonded: boolean
  /** End of the term that the last evidence gave, Unix seconds; absent or 0 for a bonded key. */
  expiresAt?: bigint | undefined
}

/** TeeRegistry's record of an approved code measurement. */
export type MeasurementView = Interval & { engineClasses: number }

export const BATCH_STATE = { none: 0, committed: 1, attested: 2, final: 3, void: 4, expired: 5 } as const

/**
 * What Settlement keeps of a batch. The data hash is in the batch id and the sum in the root, so neither is kept. Times are
 * Unix seconds, 0 = has not happened.
 */
export type BatchRecord = Omit<BatchHeader, 'dataHash' | 'sum'> & {
  batchId: Hex
  committedAt: bigint
  committedBlock: bigint
  quorumAt: bigint
  finalisedAt: bigint
  /** One of `BATCH_STATE`. */
  state: number
}

/** The record together with what the event of the commit says. */
export type BatchView = BatchRecord & BatchHeader

export const PAYMENT_STATE = { none: 0, locked: 1, paid: 2, refunded: 3 } as const

/** InferenceEscrow's record of the payment behind a request id. */
export type PaymentView = {
  payer: Address
  gateway: Address
  /** Locked, OPG base units. */
  amount: bigint
  /** Paid out, OPG base units. */
  paid: bigint
  /** One of `PAYMENT_STATE`. */
  state: number
}

/** SpendingGrants' account of a grant; amounts in OPG base units. */
export type GrantAccount = {
  /** Paid in, and not taken back. */
  funded: bigint
  /** Of it, on final calls. */
  spent: bigint
  /** Unix seconds, 0 while the grant stands. */
  revokedAt: bigint
  /** Whether the chain saw the payer's word for it. */
  opened: boolean
}

/** A settlement row that a deposit paid for, as the event tells. */
export type SettledRow = {
  modelId: Hex
  node: Address
  /** Taken out of the deposit, OPG base units. */
  price: bigint
  /** What the deposit did not hold, OPG base units. */
  unpaid: bigint
}

/** The grant behind a receipt. */
export type GrantView = {
  grant: SpendingGrant
  account: GrantAccount
  /** Rows of the bundle's batch that were settled under it; null where no inclusion names a batch. */
  settledRows: SettledRow[] | null
}

/**
 * Everything the chain says about one receipt, as plain data read at one block. The verifier does no I/O: whoever
 * fills this in (packages/chain, or any other reader) is what "the RPC" means in a trust statement.
 * Absent records are null, never guesses.
 */
export type ChainView = {
  /** As the chain itself answers: its chain id and `Settlement.deploymentId()`. */
  deployment: Deployment
  /** InferenceEscrow, part of every request id. */
  escrow: Address
  /** Block at which all of this was read. */
  blockNumber: bigint
  /** That block's timestamp, Unix seconds. */
  now: bigint
  /** `receipt.key` as registered. */
  key: KeyView | null
  /** Records behind that key; null where there is no key or the key is bonded. */
  hardware: Interval | null
  root: Interval | null
  measurement: MeasurementView | null
  /**
   * What TeeRegistry said of the rules that bear on the evidence (`rulesOfEvidence`): floors and exceptions when the key was
   * admitted, denials when the receipt was issued. Absent where no evidence was given to the reader.
   */
  rules?: Rules | undefined
  /** Block `evidence.anchorBlock`; null where the chain has none, absent where no evidence was given. */
  evidenceAnchor?: { hash: Hex; timestamp: bigint } | null | undefined
  /** Row `receipt.priceVersion` of `receipt.modelId`. */
  price: (PriceRow & { validFrom: bigint }) | null
  /** Publisher of `receipt.modelId`. */
  publisher: Address | null
  /** `receipt.modelId` as published; the manifest where it stands in the chain itself. Read for mode zk only. */
  model?: { weightsHash: Hex; manifest: ModelManifest | undefined } | undefined
  /** Block `receipt.anchorBlock` of the canonical chain; null where the chain has no such block. */
  anchor: { hash: Hex; timestamp: bigint } | null
  /** The batch that the bundle's inclusion names; null without inclusion or where the chain knows no such batch. */
  batch: BatchRecord | null
  /** Payment of `receipt.requestId`; null where escrow never saw it. */
  payment: PaymentView | null
  /** The grant that the receipt's place names; null without one or where it was never opened. */
  grant: GrantView | null
}

/** Whether a registry record covers time `at` (Unix seconds). */
export function covers(interval: Interval, at: bigint): boolean {
  const { validFrom, revokedAt, suspension } = interval
  if (validFrom === 0n || at < validFrom || (revokedAt !== 0n && at >= revokedAt)) return false
  return suspension === undefined || suspension.from === 0n || at < suspension.from || at >= suspension.until
}
