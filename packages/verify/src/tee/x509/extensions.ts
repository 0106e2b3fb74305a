import { bytesToHex, type Hex } from 'viem'
import { type Der, DerError, expectTag, readChildren, readDer, TAG } from './der.ts'

/** An extension of a certificate or revocation list; `value` is the contents of its OCTET STRING. */
export type Extension = { critical: boolean; value: Uint8Array }

/** Real certificates have at most nine. */
const MAX_EXTENSIONS = 32

/**
 * Reads the explicitly tagged list of extensions (RFC 5280 §4.1.2.9), each at most once.
 * @param list undefined where the structure has none
 * @throws DerError
 */
export function readExtensions(list: Der | undefined): ReadonlyMap<Hex, Extension> {
  const found = new Map<Hex, Extension>()
  if (list === undefined) return found
  const entries = readChildren(readDer(list.content, TAG.sequence), MAX_EXTENSIONS)
  for (const entry of entries) {
    const members = readChildren(expectTag(entry, TAG.sequence, 'extension'))
    const oid = bytesToHex(expectTag(members[0], TAG.oid, 'extension id').content)
    const flag = members[1]?.tag === TAG.boolean ? members[1] : undefined
    if (flag !== undefined && (flag.content.length !== 1 || flag.content[0] !== 0xff)) {
      throw new DerError('critical flag not in DER')
    }
    const critical = flag !== undefined
    const value = expectTag(members[critical ? 2 : 1], TAG.octetString, 'extension value').content
    if (members.length !== (critical ? 3 : 2) || found.has(oid)) throw new DerError('extension')
    found.set(oid, { critical, value })
  }
  return found
}
