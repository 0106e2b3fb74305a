import {
  type HttpResponseBytes,
  MODE,
  receiptDigest,
  recoverSigner,
  responseHash,
  type SignedReceipt,
} from '@assay/protocol'
import { receiptIsSound } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { Context } from '../context.ts'
import type { Mode } from '../routing/costOfCorruption.ts'

/** What a receipt must say to be the receipt of one relayed request. */
export type Expected = {
  requestId: Hex
  payer: string
  committer: Address
  modelId: Hex
  requestHash: Hex
  /** OPG base units. */
  authorised: bigint
  /** Operator of the node that it was sent to. */
  node: Address
  /** How it is to be verified, and what it is to answer for, OPG base units: undefined where nobody remembers or can read it. */
  mode?: Mode | undefined
  valueAtRisk?: bigint | undefined
}

/**
 * Why a receipt does not belong to this request and answer, or undefined if it does. The same things are checked by
 * whoever holds the answer; the gateway checks them so that it never batches, and stakes its name on, a bad receipt.
 * @param response absent where the answer was cut off and only the node knows its bytes.
 */
export async function receiptProblem(
  signed: SignedReceipt,
  expected: Expected,
  { deployment, keyCounts }: Pick<Context, 'deployment' | 'keyCounts'>,
  response?: HttpResponseBytes | undefined,
): Promise<string | undefined> {
  const { receipt } = signed
  // What breaks a rule of receipts voids every batch that holds it, and no contract makes its node pay for that.
  if ((await receiptIsSound(receipt)).outcome !== 'passed') return 'form'
  if (receipt.requestId !== expected.requestId) return 'requestId'
  if (receipt.payer !== expected.payer.toLowerCase()) return 'payer'
  if (receipt.committer !== expected.committer) return 'committer'
  if (receipt.node !== expected.node) return 'node'
  if (receipt.modelId !== expected.modelId.toLowerCase()) return 'modelId'
  if (receipt.requestHash !== expected.requestHash) return 'requestHash'
  // What a node says that it can do, and what it was asked, bind it: for that it was chosen.
  if (expected.mode !== undefined && receipt.mode !== MODE[expected.mode]) return 'mode'
  if (expected.valueAtRisk !== undefined && receipt.valueAtRisk !== expected.valueAtRisk) return 'valueAtRisk'
  if (receipt.price > expected.authorised) return 'price'
  if (response !== undefined && receipt.responseHash !== responseHash(response)) return 'responseHash'
  try {
    const signer = await recoverSigner(receiptDigest(receipt, deployment), signed.signature)
    if (signer !== receipt.key) return 'signature'
  } catch {
    return 'signature'
  }
  return (await keyCounts(receipt)) ? undefined : 'key'
}
