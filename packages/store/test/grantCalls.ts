/** Grants, the calls under them and their receipts, as a gateway hands them to its database. */
import { canonicalJson, receiptLeaf, receiptToJson } from '@assay/protocol'
import {
  addApiKey,
  type Database,
  type NewGrantCall,
  type NewReceipt,
  type RequestWriter,
  type ReservationRefusal,
  UNKNOWN_GRANT,
} from '@assay/store'
import { type Hex, keccak256, numberToHex } from 'viem'
import { receiptAt } from './fixtures.ts'

const PAYER = `0x${'01'.repeat(20)}` as const

/** Registers a grant and one key under it. */
export async function addGrant(
  database: Database,
  grantId: Hex,
  { maxTotal, ratePerHour = 0n }: { maxTotal: bigint; ratePerHour?: bigint },
): Promise<void> {
  const grant = { grantId, payer: PAYER, terms: '{}', maxTotal, ratePerHour }
  await addApiKey(database, grant, keccak256(grantId))
}

/** Request id of a place; what real ones are derived from beside it is left out. */
export const placeIdOf = (grantId: Hex, counter: bigint): Hex =>
  keccak256(`${grantId}${numberToHex(counter, { size: 8 }).slice(2)}`)

/** A call that has no place yet. */
export type Unplaced = Omit<NewGrantCall, 'counter' | 'requestId'>

export function callOf(grantId: Hex, authorised: bigint, funded = 10n ** 30n, spentOnChain = 0n): Unplaced {
  return {
    grantId,
    keyHash: keccak256(grantId),
    payer: PAYER,
    scheme: 3,
    authorised,
    funded,
    spentOnChain,
    expiresAt: 2n ** 63n,
    collect: '{}',
    modelId: `0x${'05'.repeat(32)}`,
    nodeUrl: 'http://127.0.0.1:1',
    requestHash: `0x${'00'.repeat(32)}`,
    instance: 'here',
  }
}

/** Finds a place for a call and sets it aside there, or says why not. */
export async function reserveIn(
  writer: RequestWriter,
  call: Unplaced,
): Promise<{ reserved: true; counter: bigint; requestId: Hex } | ({ reserved: false } & ReservationRefusal)> {
  const counter = await writer.takePlace(call.grantId)
  if (counter === undefined) return { reserved: false, ...UNKNOWN_GRANT }
  const requestId = placeIdOf(call.grantId, counter)
  const refusal = await writer.reserve({ ...call, counter, requestId })
  return refusal === undefined ? { reserved: true, counter, requestId } : { reserved: false, ...refusal }
}

let receipts = 0

export async function grantReceipt(requestId: Hex, price: bigint): Promise<NewReceipt> {
  const { receipt, signature } = await receiptAt(1_000_000 + ++receipts, price)
  const signed = { receipt: { ...receipt, requestId }, signature }
  return {
    requestId,
    receipt: canonicalJson(receiptToJson(signed.receipt)),
    signature,
    leaf: receiptLeaf(signed),
    price,
    collectAmount: price,
    prepaid: true,
  }
}
