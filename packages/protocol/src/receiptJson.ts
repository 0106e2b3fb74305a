import { fromBase64Url, toBase64Url } from './base64/base64.ts'
import { canonicalJsonBytes, type Json, parseCanonicalJson } from './canonicalJson.ts'
import { RECEIPT_FIELDS, type Receipt, type SignedReceipt } from './receipt.ts'
import { readAddress, readBytes, readObject, readSmallUint, readUint } from './schema.ts'

/** Upper bound of a receipt's JSON, bytes (a full one has about 1,250). */
const MAX_RECEIPT_BYTES = 4096
export const RECEIPT_HEADER = 'x-assay-receipt'
export const REQUEST_ID_HEADER = 'x-assay-request-id'
export const RECEIPT_COMMENT = ': assay-receipt '

const NAMES = RECEIPT_FIELDS.map(({ name }) => name)
const READERS = {
  uint8: (value: Json | undefined, where: string) => readSmallUint(value, where, 255),
  uint64: (value: Json | undefined, where: string) => readUint(value, where, 64),
  uint128: (value: Json | undefined, where: string) => readUint(value, where, 128),
  address: readAddress,
  bytes32: (value: Json | undefined, where: string) => readBytes(value, where, 32),
} as const

export function receiptToJson(receipt: Receipt): { [name: string]: Json } {
  const json: { [name: string]: Json } = {}
  for (const name of NAMES) {
    const value = receipt[name]
    if (typeof value === 'bigint') json[name] = value.toString()
    else json[name] = typeof value === 'string' ? value.toLowerCase() : value
  }
  return json
}

/** A receipt that cannot change, so what it hashes to is computed once. @throws AssayError `malformed` */
export function receiptFromJson(value: Json | undefined, where = 'receipt'): Receipt {
  const members = readObject(value, where, NAMES)
  const receipt: Record<string, unknown> = {}
  for (const { name, type } of RECEIPT_FIELDS) {
    receipt[name] = READERS[type](members[name], `${where}.${name}`)
  }
  return Object.freeze(receipt) as Receipt
}

export function signedReceiptToJson(signed: SignedReceipt): { [name: string]: Json } {
  return { receipt: receiptToJson(signed.receipt), signature: signed.signature }
}

/** @throws AssayError `malformed` */
export function signedReceiptFromJson(value: Json | undefined, where = 'signedReceipt'): SignedReceipt {
  const members = readObject(value, where, ['receipt', 'signature'])
  return {
    receipt: receiptFromJson(members.receipt, `${where}.receipt`),
    signature: readBytes(members.signature, `${where}.signature`, 65),
  }
}

/** Value of the header `x-assay-receipt` and of the SSE comment. */
export function encodeReceiptHeader(signed: SignedReceipt): string {
  return toBase64Url(canonicalJsonBytes(signedReceiptToJson(signed)))
}

/** @throws AssayError `malformed` | `non_canonical` */
export function decodeReceiptHeader(text: string): SignedReceipt {
  return signedReceiptFromJson(parseCanonicalJson(fromBase64Url(text), MAX_RECEIPT_BYTES))
}
