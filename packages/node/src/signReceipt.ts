import {
  type Deployment,
  type PriceRow,
  priceOf,
  type Receipt,
  receiptDigest,
  type SignedReceipt,
  STATUS,
} from '@assay/protocol'
import { type Address, type Hex, zeroHash } from 'viem'

/** Seconds that only the named committer may batch the receipt. */
const INCLUDE_SECONDS = 600n

/** A block that the node saw, for the receipt to be anchored in. */
export type Anchor = {
  number: bigint
  hash: Hex
  /** Unix seconds. */
  timestamp: bigint
}

export type ReceiptParameters = {
  requestId: Hex
  payer: Address
  committer: Address
  modelId: Hex
  priceVersion: bigint
  priceRow: PriceRow
  /** One of `ENGINE_CLASS`. */
  engineClass: number
  /** One of `MODE`. */
  mode: number
  /** One of `STATUS`. */
  status: number
  requestHash: Hex
  responseHash: Hex
  /** What a proof will be about; undefined for none. */
  evidenceHash?: Hex | undefined
  inputUnits: number
  outputUnits: number
  /** OPG base units. */
  valueAtRisk: bigint
  anchor: Anchor
}

/** A key that signs receipts; new at every boot. */
export type ReceiptKey = { key: Address; sign: (digest: Hex) => Promise<Hex> }

/** Makes the receipts of one key: `seq` starts at 1 with the new key and never repeats. */
export function createReceiptSigner(parameters: {
  signer: ReceiptKey
  node: Address
  deployment: Deployment
  /** Since when the key counts, Unix seconds: the chain's clock may be ahead of ours. */
  validFrom?: (() => bigint) | undefined
}): (answer: ReceiptParameters) => Promise<SignedReceipt> {
  const { signer, node, deployment, validFrom = () => 0n } = parameters
  let seq = 0n
  return async (answer) => {
    seq += 1n
    const now = BigInt(Math.floor(Date.now() / 1000))
    // Where the chain's clock runs ahead of ours, its own times are the honest lower bound.
    const issuedAt = [now, answer.anchor.timestamp, validFrom()].reduce((a, b) => (a > b ? a : b))
    const inputUnits = BigInt(answer.inputUnits)
    const outputUnits = BigInt(answer.outputUnits)
    const receipt: Receipt = {
      version: 1,
      requestId: answer.requestId,
      payer: answer.payer,
      node,
      key: signer.key,
      seq,
      committer: answer.committer,
      includeBy: issuedAt + INCLUDE_SECONDS,
      modelId: answer.modelId,
      priceVersion: answer.priceVersion,
      engineClass: answer.engineClass,
      mode: answer.mode,
      status: answer.status,
      requestHash: answer.requestHash,
      responseHash: answer.responseHash,
      evidenceHash: answer.evidenceHash ?? zeroHash,
      inputUnits,
      outputUnits,
      price: priceOf(answer.priceRow, { inputUnits, outputUnits, failed: answer.status === STATUS.failed }),
      valueAtRisk: answer.valueAtRisk,
      anchorBlock: answer.anchor.number,
      anchorHash: answer.anchor.hash,
      issuedAt,
    }
    return { receipt, signature: await signer.sign(receiptDigest(receipt, deployment)) }
  }
}
