import { type Hex, hexToBytes } from 'viem'

/** Whether `value` under `mask` equals `expected`, byte for byte; all three of one length. */
export function isMasked(value: Hex, mask: Hex, expected: Hex): boolean {
  const masks = hexToBytes(mask)
  const wanted = hexToBytes(expected)
  return hexToBytes(value).every((byte, at) => (byte & (masks[at] as number)) === wanted[at])
}
