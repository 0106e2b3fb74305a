import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { der, extension, fromHex, integer, named, sequence, time } from './derWriter.ts'

/** AlgorithmIdentifiers as vendors write them. */
const RSA_PSS = fromHex(
  '304606092a864886f70d01010a3039a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130a303020101',
)
/** The same with its default trailer left out, as in certificates of Turin's chips. */
export const RSA_PSS_SHORT = fromHex(
  '304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130',
)
const ECDSA_SHA384 = fromHex('300a06082a8648ce3d040303')
const ECDSA_SHA256 = fromHex('300a06082a8648ce3d040302')

export type TestKey = { publicKey: KeyObject; privateKey: KeyObject }

export const p256Key = (): TestKey => generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const p384Key = (): TestKey => generateKeyPairSync('ec', { namedCurve: 'P-384' })
export const rsaKey = (): TestKey => generateKeyPairSync('rsa', { modulusLength: 4096 })

const isP256 = (key: TestKey) => key.privateKey.asymmetricKeyDetails?.namedCurve === 'prime256v1'

export function signWith(key: TestKey, message: Uint8Array): Uint8Array {
  return new Uint8Array(
    key.privateKey.asymmetricKeyType === 'rsa'
      ? sign('sha384', message, {
          key: key.privateKey,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: 48,
        })
      : sign(isP256(key) ? 'sha256' : 'sha384', message, key.privateKey),
  )
}

function algorithmOf(key: TestKey): Uint8Array {
  if (key.privateKey.asymmetricKeyType === 'rsa') return RSA_PSS
  return isP256(key) ? ECDSA_SHA256 : ECDSA_SHA384
}

export type CertificateFields = {
  subject: string
  issuer: string
  subjectKey: TestKey
  issuerKey: TestKey
  serial?: number
  /** Unix seconds. */
  from: number
  to: number
  ca?: boolean
  pathLength?: number
  /** keyUsage as its first byte; absent where undefined. */
  keyUsage?: number | undefined
  extensions?: Uint8Array[]
  /** AlgorithmIdentifier in the place of the usual one. */
  algorithm?: Uint8Array | undefined
  /** How a common name is written as a name; alone by default. */
  nameOf?: (commonName: string) => Uint8Array
}

/** keyCertSign and cRLSign. */
export const CA_USAGE = 0x06
export const SIGNS_DATA = 0x80

export function writeCertificate(fields: CertificateFields): Uint8Array {
  const algorithm = fields.algorithm ?? algorithmOf(fields.issuerKey)
  const nameOf = fields.nameOf ?? named
  const constraints = sequence(
    der(1, [0xff]),
    ...(fields.pathLength === undefined ? [] : [integer(fields.pathLength)]),
  )
  const usage = fields.keyUsage
  const extensions = [
    ...(fields.ca ? [extension('2.5.29.19', constraints, true)] : []),
    ...(usage === undefined ? [] : [extension('2.5.29.15', der(3, [0, usage]), true)]),
    ...(fields.extensions ?? []),
  ]
  const tbs = sequence(
    der(0xa0, integer(2)),
    integer(fields.serial ?? 0),
    algorithm,
    nameOf(fields.issuer),
    sequence(time(fields.from), time(fields.to)),
    nameOf(fields.subject),
    new Uint8Array(fields.subjectKey.publicKey.export({ type: 'spki', format: 'der' })),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  )
  return sequence(tbs, algorithm, der(3, [0], signWith(fields.issuerKey, tbs)))
}

export type CrlFields = {
  issuer: string
  key: TestKey
  from: number
  to: number
  revoked?: number[]
  nameOf?: (commonName: string) => Uint8Array
}

export function writeCrl({ issuer, key, from, to, revoked = [], nameOf = named }: CrlFields): Uint8Array {
  const entries = revoked.map((serial) => sequence(integer(serial), time(from)))
  const tbs = sequence(
    integer(1),
    algorithmOf(key),
    nameOf(issuer),
    time(from),
    time(to),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    der(0xa0, sequence(extension('2.5.29.20', integer(1)))),
  )
  return sequence(tbs, algorithmOf(key), der(3, [0], signWith(key, tbs)))
}
