import { bytesToHex, type Hex } from 'viem'
import { type Certificate, readSignedWith } from './certificate.ts'
import { signedBy } from './chain.ts'
import {
  type Der,
  DerError,
  expectTag,
  octetsOfBitString,
  readChildren,
  readDer,
  readInteger,
  readSmallInteger,
  readTime,
  TAG,
} from './der.ts'
import { readExtensions } from './extensions.ts'
import type { Scheme } from './scheme.ts'

/** Intel's longest list has 7 KB today; a list grows by about 40 bytes with each revoked certificate. */
const MAX_CRL_BYTES = 524_288
const MAX_ENTRIES = 16_384

/** A certificate revocation list, version 2 (RFC 5280 §5). */
export type RevocationList = {
  tbs: Uint8Array
  signature: Uint8Array
  signedWith: Scheme
  /** DER of the name. */
  issuer: Hex
  /** Unix seconds, both inclusive. */
  thisUpdate: bigint
  nextUpdate: bigint
  /** Serial numbers as `Certificate.serial` writes them. */
  revoked: ReadonlySet<Hex>
}

/** An entry's date and reason are of no use here: what was revoked is refused at any time this list is used. */
function readEntries(list: Der | undefined): ReadonlySet<Hex> {
  const revoked = new Set<Hex>()
  if (list === undefined) return revoked
  for (const entry of readChildren(list, MAX_ENTRIES)) {
    const [serial, time, extensions, ...rest] = readChildren(expectTag(entry, TAG.sequence, 'entry'))
    if (time === undefined || rest.length > 0) throw new DerError('entry of a revocation list')
    readTime(time)
    for (const extension of extensions === undefined ? [] : readChildren(extensions)) {
      // A critical one may say that the entry is of another issuer (RFC 5280 §5.3.3).
      if (readChildren(extension)[1]?.tag === TAG.boolean)
        throw new DerError('critical extension of an entry')
    }
    revoked.add(readInteger(expectTag(serial, TAG.integer, 'serial')))
  }
  return revoked
}

/**
 * Parses the DER of a complete list, strictly: version 2, with nextUpdate, no critical extension (a critical one would
 * narrow the list's scope), nothing trailing. @throws DerError
 */
export function parseRevocationList(bytes: Uint8Array, schemes: readonly Scheme[]): RevocationList {
  if (bytes.length > MAX_CRL_BYTES) throw new DerError('revocation list too large')
  const outer = readChildren(readDer(bytes, TAG.sequence))
  if (outer.length !== 3) throw new DerError('revocation list of other than three parts')
  const tbs = expectTag(outer[0], TAG.sequence, 'tbsCertList')
  const [version, algorithm, issuer, thisUpdate, nextUpdate, ...rest] = readChildren(tbs)
  if (version === undefined || readSmallInteger(version) !== 1) throw new DerError('not a version 2 list')
  if (thisUpdate === undefined || nextUpdate === undefined) throw new DerError('update times')
  const entries = rest[0]?.tag === TAG.sequence ? rest.shift() : undefined
  const last = rest[0]?.tag === TAG.crlExtensions ? rest.shift() : undefined
  if (rest.length > 0) throw new DerError('unexpected member')
  for (const { critical } of readExtensions(last).values()) {
    if (critical) throw new DerError('critical extension of a revocation list')
  }
  return {
    tbs: tbs.bytes,
    signature: octetsOfBitString(expectTag(outer[2], TAG.bitString, 'signature')),
    signedWith: readSignedWith(algorithm, outer[1], schemes),
    issuer: bytesToHex(expectTag(issuer, TAG.sequence, 'issuer').bytes),
    thisUpdate: readTime(thisUpdate),
    nextUpdate: readTime(nextUpdate),
    revoked: readEntries(entries),
  }
}

/** Whether `issuer` issued this list and may do so. */
export function listIssuedBy(list: RevocationList, issuer: Certificate): boolean {
  return list.issuer === issuer.subject && issuer.crlSign && signedBy(list, issuer)
}
