import { bytesToHex, type Hex } from 'viem'
import { type Der, DerError, readChildren, readDer, readSmallInteger, readTime, TAG } from './der.ts'

/** Nitro certificates have about 800 bytes; the NSM interface caps them at 1,024. */
const MAX_CERTIFICATE_BYTES = 2048

/** What chain validation needs of an X.509 v3 certificate on P-384 (RFC 5280). */
export type Certificate = {
  /** Signed part. */
  tbs: Uint8Array
  /** DER SEQUENCE of r and s. */
  signature: Uint8Array
  serial: Hex
  /** DER of the names, compared byte for byte. */
  issuer: Hex
  subject: Hex
  /** Unix seconds, both inclusive. */
  notBefore: bigint
  notAfter: bigint
  /** Uncompressed point, 97 bytes. */
  publicKey: Uint8Array
  /** basicConstraints; undefined where absent. */
  constraints: { isCa: boolean; pathLength: number | undefined } | undefined
  /** keyUsage. */
  keyCertSign: boolean
  digitalSignature: boolean
}

const ECDSA_SHA384 = '0x300a06082a8648ce3d040303' // AlgorithmIdentifier, RFC 5758 §3.2: no parameters
const P384_KEY = '0x301006072a8648ce3d020106052b81040022' // AlgorithmIdentifier, RFC 5480 §2.1.1
const BASIC_CONSTRAINTS = '0x551d13'
const KEY_USAGE = '0x551d0f'

function expect(element: Der | undefined, tag: number, what: string): Der {
  if (element === undefined || element.tag !== tag) throw new DerError(`${what} is missing`)
  return element
}

/** Contents of a BIT STRING of whole octets. */
function octetsOfBitString(element: Der): Uint8Array {
  if (element.content[0] !== 0) throw new DerError('bit string of partial octets')
  return element.content.subarray(1)
}

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

/** Bits of KeyUsage (RFC 5280 §4.2.1.3): digitalSignature is bit 0, keyCertSign bit 5, from the most significant. */
function readKeyUsage(value: Uint8Array): { digitalSignature: boolean; keyCertSign: boolean } {
  const { content } = readDer(value, TAG.bitString)
  const unused = content[0]
  const first = content[1]
  if (content.length < 2 || content.length > 3 || unused === undefined || unused > 7 || first === undefined) {
    throw new DerError('keyUsage')
  }
  return { digitalSignature: (first & 0x80) !== 0, keyCertSign: (first & 0x04) !== 0 }
}

/** Reads the extensions; an unknown critical one must not be ignored (RFC 5280 §4.2). */
function readExtensions(list: Der | undefined) {
  const found: Pick<Certificate, 'constraints' | 'keyCertSign' | 'digitalSignature'> = {
    constraints: undefined,
    keyCertSign: false,
    digitalSignature: false,
  }
  if (list === undefined) return found
  const seen = new Set<Hex>()
  for (const extension of readChildren(readDer(list.content, TAG.sequence))) {
    const members = readChildren(extension)
    const oid = bytesToHex(expect(members[0], TAG.oid, 'extension id').content)
    const critical = members[1]?.tag === TAG.boolean
    if (critical && members[1]?.content[0] !== 0xff) throw new DerError('critical flag not in DER')
    const value = expect(members[critical ? 2 : 1], TAG.octetString, 'extension value').content
    if (members.length !== (critical ? 3 : 2) || seen.has(oid)) throw new DerError('extension')
    seen.add(oid)
    if (oid === BASIC_CONSTRAINTS) found.constraints = readConstraints(value)
    else if (oid === KEY_USAGE) Object.assign(found, readKeyUsage(value))
    else if (critical) throw new DerError(`unknown critical extension ${oid}`)
  }
  return found
}

/**
 * Parses a DER certificate, strictly: v3, ecdsa-with-SHA384, a P-384 key, nothing trailing.
 * @throws DerError
 */
export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) throw new DerError('certificate too large')
  const outer = readChildren(readDer(bytes, TAG.sequence))
  if (outer.length !== 3) throw new DerError('certificate of other than three parts')
  const tbs = expect(outer[0], TAG.sequence, 'tbsCertificate')
  const [version, serial, algorithm, issuer, validity, subject, key, ...rest] = readChildren(tbs)
  const v3 = readChildren(expect(version, TAG.version, 'version'))
  if (v3.length !== 1 || readSmallInteger(v3[0] as Der) !== 2) throw new DerError('not X.509 v3')
  for (const identifier of [algorithm, outer[1]]) {
    if (bytesToHex(expect(identifier, TAG.sequence, 'algorithm').bytes) !== ECDSA_SHA384) {
      throw new DerError('not signed by ecdsa-with-SHA384')
    }
  }
  const times = readChildren(expect(validity, TAG.sequence, 'validity'))
  if (times.length !== 2) throw new DerError('validity')
  const [keyAlgorithm, keyBits] = readChildren(expect(key, TAG.sequence, 'public key'))
  if (bytesToHex(expect(keyAlgorithm, TAG.sequence, 'key algorithm').bytes) !== P384_KEY) {
    throw new DerError('not a P-384 key')
  }
  const publicKey = octetsOfBitString(expect(keyBits, TAG.bitString, 'public key'))
  if (publicKey.length !== 97 || publicKey[0] !== 4) throw new DerError('not an uncompressed P-384 point')
  if (rest.length > 1 || (rest.length === 1 && rest[0]?.tag !== TAG.extensions)) {
    throw new DerError('unexpected member')
  }
  return {
    tbs: tbs.bytes,
    signature: octetsOfBitString(expect(outer[2], TAG.bitString, 'signature')),
    serial: bytesToHex(expect(serial, TAG.integer, 'serial').content),
    issuer: bytesToHex(expect(issuer, TAG.sequence, 'issuer').bytes),
    subject: bytesToHex(expect(subject, TAG.sequence, 'subject').bytes),
    notBefore: readTime(times[0] as Der),
    notAfter: readTime(times[1] as Der),
    publicKey,
    ...readExtensions(rest[0]),
  }
}
