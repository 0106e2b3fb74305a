import { bytesToHex, type Hex } from 'viem'
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
import { type Extension, readExtensions } from './extensions.ts'
import type { Scheme } from './scheme.ts'

/** Certificates of attestation chains have 600 to 1,900 bytes. */
const MAX_CERTIFICATE_BYTES = 4096

/** What chain validation needs of an X.509 v3 certificate (RFC 5280). */
export type Certificate = {
  /** Signed part. */
  tbs: Uint8Array
  /** As the scheme writes it. */
  signature: Uint8Array
  /** How the issuer signed. */
  signedWith: Scheme
  /** Contents of the INTEGER, so that equal numbers are equal strings. */
  serial: Hex
  /** DER of the names, compared byte for byte. */
  issuer: Hex
  subject: Hex
  /** Unix seconds, both inclusive. */
  notBefore: bigint
  notAfter: bigint
  /** What the subject's key signs with. */
  keyScheme: Scheme
  publicKey: Uint8Array
  /** basicConstraints; undefined where absent. */
  constraints: { isCa: boolean; pathLength: number | undefined } | undefined
  /** keyUsage. */
  keyCertSign: boolean
  crlSign: boolean
  digitalSignature: boolean
  /** All extensions by the hex of their object identifier's contents. */
  extensions: ReadonlyMap<Hex, Extension>
}

const BASIC_CONSTRAINTS = '0x551d13'
const KEY_USAGE = '0x551d0f'

function readConstraints(value: Uint8Array): { isCa: boolean; pathLength: number | undefined } {
  const members = readChildren(readDer(value, TAG.sequence))
  let at = 0
  let isCa = false
  if (members[at]?.tag === TAG.boolean) {
    const flag = members[at] as Der
    if (flag.content.length !== 1 || flag.content[0] !== 0xff) throw new DerError('CA flag not in DER')
    isCa = true
    at++
  }
  let pathLength: number | undefined
  if (members[at] !== undefined) pathLength = readSmallInteger(members[at++] as Der)
  if (at !== members.length || (pathLength !== undefined && !isCa)) throw new DerError('basicConstraints')
  return { isCa, pathLength }
}

/** Bits of KeyUsage (RFC 5280 §4.2.1.3), from the most significant: digitalSignature 0, keyCertSign 5, cRLSign 6. */
function readKeyUsage(value: Uint8Array) {
  const { content } = readDer(value, TAG.bitString)
  const unused = content[0]
  const first = content[1]
  if (content.length < 2 || content.length > 3 || unused === undefined || unused > 7 || first === undefined) {
    throw new DerError('keyUsage')
  }
  return {
    digitalSignature: (first & 0x80) !== 0,
    keyCertSign: (first & 0x04) !== 0,
    crlSign: (first & 0x02) !== 0,
  }
}

/** Reads the extensions; a critical one that nobody understands must not be ignored (RFC 5280 §4.2). */
function readUse(extensions: ReadonlyMap<Hex, Extension>, understood: readonly Hex[]) {
  const use: Pick<Certificate, 'constraints' | 'keyCertSign' | 'crlSign' | 'digitalSignature'> = {
    constraints: undefined,
    keyCertSign: false,
    crlSign: false,
    digitalSignature: false,
  }
  for (const [oid, { critical, value }] of extensions) {
    if (oid === BASIC_CONSTRAINTS) use.constraints = readConstraints(value)
    else if (oid === KEY_USAGE) Object.assign(use, readKeyUsage(value))
    else if (critical && !understood.includes(oid)) throw new DerError(`unknown critical extension ${oid}`)
  }
  return use
}

function readPublicKey(
  element: Der,
  schemes: readonly Scheme[],
): { keyScheme: Scheme; publicKey: Uint8Array } {
  const members = readChildren(element)
  if (members.length !== 2) throw new DerError('public key')
  const algorithm = bytesToHex(expectTag(members[0], TAG.sequence, 'key algorithm').bytes)
  const keyScheme = schemes.find((scheme) => scheme.keyAlgorithm === algorithm)
  if (keyScheme === undefined) throw new DerError('key of an algorithm that has no place in this chain')
  const publicKey = octetsOfBitString(expectTag(members[1], TAG.bitString, 'public key'))
  if (!keyScheme.isKey(publicKey)) throw new DerError(`not a key for ${keyScheme.name}`)
  return { keyScheme, publicKey }
}

/** The scheme that both AlgorithmIdentifiers of a signed structure name (RFC 5280 §4.1.1.2). @throws DerError */
export function readSignedWith(
  inside: Der | undefined,
  outside: Der | undefined,
  schemes: readonly Scheme[],
): Scheme {
  const named = bytesToHex(expectTag(inside, TAG.sequence, 'algorithm').bytes)
  if (bytesToHex(expectTag(outside, TAG.sequence, 'algorithm').bytes) !== named) {
    throw new DerError('the two signature algorithms differ')
  }
  const scheme = schemes.find(({ signatureAlgorithms }) => signatureAlgorithms.includes(named))
  if (scheme === undefined) throw new DerError('signed by an algorithm that has no place in this chain')
  return scheme
}

/**
 * Parses a DER certificate, strictly: v3, keys and signatures of these schemes only, nothing trailing.
 * @param understood extensions that the caller reads itself, and that may therefore be critical
 * @throws DerError
 */
export function parseCertificate(
  bytes: Uint8Array,
  schemes: readonly Scheme[],
  understood: readonly Hex[] = [],
): Certificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) throw new DerError('certificate too large')
  const outer = readChildren(readDer(bytes, TAG.sequence))
  if (outer.length !== 3) throw new DerError('certificate of other than three parts')
  const tbs = expectTag(outer[0], TAG.sequence, 'tbsCertificate')
  const [version, serial, algorithm, issuer, validity, subject, key, ...rest] = readChildren(tbs)
  const v3 = readChildren(expectTag(version, TAG.version, 'version'))
  if (v3.length !== 1 || readSmallInteger(v3[0] as Der) !== 2) throw new DerError('not X.509 v3')
  const times = readChildren(expectTag(validity, TAG.sequence, 'validity'))
  if (times.length !== 2) throw new DerError('validity')
  if (rest.length > 1 || (rest.length === 1 && rest[0]?.tag !== TAG.extensions)) {
    throw new DerError('unexpected member')
  }
  const extensions = readExtensions(rest[0])
  return {
    tbs: tbs.bytes,
    signature: octetsOfBitString(expectTag(outer[2], TAG.bitString, 'signature')),
    signedWith: readSignedWith(algorithm, outer[1], schemes),
    serial: readInteger(expectTag(serial, TAG.integer, 'serial')),
    issuer: bytesToHex(expectTag(issuer, TAG.sequence, 'issuer').bytes),
    subject: bytesToHex(expectTag(subject, TAG.sequence, 'subject').bytes),
    notBefore: readTime(times[0] as Der),
    notAfter: readTime(times[1] as Der),
    ...readPublicKey(expectTag(key, TAG.sequence, 'public key'), schemes),
    ...readUse(extensions, understood),
    extensions,
  }
}
