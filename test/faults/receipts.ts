import { publicClientOf } from '@assay/chain'
import {
  type BatchEntry,
  ENGINE_CLASS,
  MODE,
  type Receipt,
  receiptDigest,
  STATUS,
  signDigest,
} from '@assay/protocol'
import { type Address, type Hex, keccak256, zeroHash } from 'viem'
import { type ChainOnly, deploymentAt } from './operators.ts'

/** What a receipt is about; the rest has an honest value of its own. */
export type Draft = Pick<Receipt, 'requestId' | 'payer' | 'node' | 'key' | 'seq' | 'committer'> &
  Partial<Receipt>

/** Blocks behind the newest that a receipt is anchored in: far enough that none is taken back. */
const ANCHOR_DEPTH = 2n
const INCLUDE_SECONDS = 600n
const REQUEST = keccak256('0x01')
const RESPONSE = keccak256('0x02')

/** A receipt of mode bonded as an honest node would write it now, but for what the draft says otherwise. */
export async function draftReceipt(network: ChainOnly, draft: Draft): Promise<Receipt> {
  const client = publicClientOf(network)
  const newest = await client.getBlock()
  const anchor = await client.getBlock({
    blockNumber: newest.number > ANCHOR_DEPTH ? newest.number - ANCHOR_DEPTH : 0n,
  })
  const lower = (address: Address) => address.toLowerCase() as Address
  const issuedAt = draft.issuedAt ?? newest.timestamp
  return {
    version: 1,
    includeBy: issuedAt + INCLUDE_SECONDS,
    modelId: zeroHash,
    priceVersion: 1n,
    engineClass: ENGINE_CLASS.unattested,
    mode: MODE.bonded,
    status: STATUS.complete,
    requestHash: REQUEST,
    responseHash: RESPONSE,
    evidenceHash: zeroHash,
    inputUnits: 10n,
    outputUnits: 5n,
    price: 0n,
    valueAtRisk: 0n,
    anchorBlock: anchor.number,
    anchorHash: anchor.hash,
    ...draft,
    issuedAt,
    payer: lower(draft.payer),
    node: lower(draft.node),
    key: lower(draft.key),
    committer: lower(draft.committer),
  }
}

export async function signReceipt(
  network: ChainOnly,
  receipt: Receipt,
  privateKey: Hex,
): Promise<BatchEntry> {
  return { receipt, signature: await signDigest(receiptDigest(receipt, deploymentAt(network)), privateKey) }
}
