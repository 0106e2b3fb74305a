import {
  canonicalJson,
  type Deployment,
  type Receipt,
  receiptDigest,
  receiptLeaf,
  receiptToJson,
  type SignedReceipt,
  signDigest,
} from '@assay/protocol'
import type { NewReceipt, NewRequest } from '@assay/store'

export const DEPLOYMENT: Deployment = {
  chainId: 31337,
  settlement: '0x00000000000000000000000000000000000000aa',
  deploymentId: `0x${'11'.repeat(32)}`,
}
const KEY = `0x${'42'.repeat(32)}` as const

export function requestIdAt(index: number): `0x${string}` {
  return `0x${(index + 1).toString(16).padStart(64, '0')}`
}

export async function receiptAt(index: number, price = 7n): Promise<SignedReceipt> {
  const zero = `0x${'00'.repeat(32)}` as const
  const receipt: Receipt = {
    version: 1,
    requestId: requestIdAt(index),
    payer: `0x${'01'.repeat(20)}`,
    node: `0x${'02'.repeat(20)}`,
    key: `0x${'03'.repeat(20)}`,
    seq: BigInt(index),
    committer: `0x${'04'.repeat(20)}`,
    includeBy: 2_000_000_000n,
    modelId: `0x${'05'.repeat(32)}`,
    priceVersion: 1n,
    engineClass: 0,
    mode: 1,
    status: 0,
    requestHash: zero,
    responseHash: zero,
    evidenceHash: zero,
    inputUnits: 1n,
    outputUnits: 1n,
    price,
    valueAtRisk: 0n,
    anchorBlock: 1n,
    anchorHash: zero,
    issuedAt: 1_900_000_000n,
  }
  return { receipt, signature: await signDigest(receiptDigest(receipt, DEPLOYMENT), KEY) }
}

export function requestAt(index: number): NewRequest {
  return {
    requestId: requestIdAt(index),
    payer: `0x${'01'.repeat(20)}`,
    scheme: 2,
    authorised: 2n ** 127n,
    expiresAt: 2n ** 70n,
    collect: '{"value":"1"}',
    modelId: `0x${'05'.repeat(32)}`,
    nodeUrl: 'http://127.0.0.1:1',
    requestHash: `0x${'00'.repeat(32)}`,
    instance: 'here',
  }
}

export async function newReceiptAt(index: number, price = 7n): Promise<NewReceipt> {
  const signed = await receiptAt(index, price)
  return {
    requestId: signed.receipt.requestId,
    receipt: canonicalJson(receiptToJson(signed.receipt)),
    signature: signed.signature,
    leaf: receiptLeaf(signed),
    price,
    collectAmount: price,
    prepaid: false,
  }
}
