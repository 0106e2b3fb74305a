import { LibZip } from 'solady'
import type { Hash } from 'viem'
import { serializeTransaction, type TransactionSerializable } from 'viem'
import type { LocalNetwork } from '../localNetwork.ts'

/** Of the OP Stack specification, "Fjord L1-Cost fee changes". */
const MIN_TRANSACTION_BYTES = 100
const INTERCEPT = -42.5856
const COEFFICIENT = 0.8365

/**
 * What a mined transaction counts for in Base's L1 data fee, bytes:
 *
 *   estimatedSize = max(100, −42.5856 + 0.8365 · fastlzSize), fastlzSize = bytes of the signed transaction after FastLZ
 *   l1Fee = estimatedSize · (baseFeeScalar · l1BaseFee · 16 + blobBaseFeeScalar · l1BlobBaseFee) / 10^6
 *
 * The two fees change by the block and the scalars by Base's configuration (GasPriceOracle, 0x420000000000000000000000000000000000000F),
 * so only the bytes are ours to measure.
 */
export async function l1Bytes({ client }: LocalNetwork, hash: Hash): Promise<number> {
  const { r, s, yParity, ...transaction } = await client.getTransaction({ hash })
  const fields = { ...transaction, data: transaction.input } as TransactionSerializable
  const signed = serializeTransaction(fields, { r, s, yParity: yParity ?? 0 })
  const compressed = (LibZip.flzCompress(signed).length - 2) / 2
  return Math.max(MIN_TRANSACTION_BYTES, INTERCEPT + COEFFICIENT * compressed)
}
