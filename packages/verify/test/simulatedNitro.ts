import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  cryptoProvider,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { encode } from 'cbor2'
import { bytesToHex, type Hex, hexToBytes, keccak256 } from 'viem'
import { sigStructure } from '../src/tee/nitro/cose.ts'

export { KeyUsageFlags }

cryptoProvider.set(webcrypto)
const P384 = { name: 'ECDSA', namedCurve: 'P-384' } as const
const SIGN = { name: 'ECDSA', hash: 'SHA-384' } as const

/** One certificate of a test chain; what a test changes to make it wrong. */
export type Link = {
  name: string
  /** Name written as issuer; the one before it by default. */
  issuer?: string
  ca?: boolean
  pathLength?: number
  keyUsage?: number
  /** Seconds relative to the document's time. */
  from?: number
  to?: number
  unknownCritical?: boolean
  /** Signs with a fresh key instead of its issuer's. */
  forged?: boolean
}

const CA_USAGE = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign
const DAY = 86_400

/** The chain AWS uses: root, regional, zonal, instance, leaf. */
export function ordinaryChain(): Link[] {
  return [
    { name: 'SIMULATED root', ca: true, to: 3650 * DAY },
    { name: 'SIMULATED regional', ca: true, pathLength: 2, to: 20 * DAY },
    { name: 'SIMULATED zonal', ca: true, pathLength: 1, to: 6 * DAY },
    { name: 'SIMULATED instance', ca: true, pathLength: 0, to: DAY },
    { name: 'SIMULATED leaf', keyUsage: KeyUsageFlags.digitalSignature, to: 3 * 3600 },
  ]
}

export type SimulatedParameters = {
  /** Unix seconds. */
  at: number
  userData?: Uint8Array | undefined
  nonce?: Uint8Array | undefined
  pcrs?: Map<number, Uint8Array>
  digest?: string
  chain?: Link[]
  /** Replaces the finished certificates, e.g. to reorder them. */
  rearrange?: (certificates: Uint8Array[]) => Uint8Array[]
  /** Further members of the payload, or others in the place of its own; undefined leaves one out. */
  members?: Readonly<Record<string, unknown>>
}

export type Simulated = {
  document: Uint8Array
  rootHash: Hex
  pcrs: Map<number, Uint8Array>
  certificates: Uint8Array[]
}

export function ordinaryPcrs(): Map<number, Uint8Array> {
  return new Map(
    Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(index < 3 ? index + 1 : 0)]),
  )
}

async function makeCertificates(chain: Link[], at: number) {
  const certificates: Uint8Array[] = []
  let issuerKeys: webcrypto.CryptoKeyPair | undefined
  let issuerName = ''
  let keys = (await webcrypto.subtle.generateKey(P384, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  for (const link of chain) {
    keys = (await webcrypto.subtle.generateKey(P384, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
    const signer = link.forged ? keys : (issuerKeys ?? keys)
    const certificate = await X509CertificateGenerator.create({
      serialNumber: bytesToHex(webcrypto.getRandomValues(new Uint8Array(8)))
        .slice(2)
        .replace(/^./, '1'),
      subject: `CN=${link.name}`,
      issuer: `CN=${link.issuer ?? (issuerName || link.name)}`,
      notBefore: new Date((at + (link.from ?? -60)) * 1000),
      notAfter: new Date((at + (link.to ?? DAY)) * 1000),
      signingAlgorithm: SIGN,
      publicKey: keys.publicKey,
      signingKey: signer.privateKey,
      extensions: [
        new BasicConstraintsExtension(link.ca ?? false, link.pathLength, true),
        new KeyUsagesExtension(link.keyUsage ?? CA_USAGE, true),
        ...(link.unknownCritical ? [new Extension('1.2.3.4', true, new Uint8Array([5, 0]))] : []),
      ],
    })
    certificates.push(new Uint8Array(certificate.rawData))
    issuerKeys = keys
    issuerName = link.name
  }
  return { certificates, leafKey: keys.privateKey }
}

/** Makes a COSE_Sign1 attestation document under a fresh local root, wrong in whatever way is asked for. */
export async function simulateNitro(parameters: SimulatedParameters): Promise<Simulated> {
  const { at } = parameters
  const made = await makeCertificates(parameters.chain ?? ordinaryChain(), at)
  const certificates = parameters.rearrange?.(made.certificates) ?? made.certificates
  const pcrs = parameters.pcrs ?? ordinaryPcrs()
  const members: Record<string, unknown> = {
    module_id: 'i-simulated-enc0000000000000001',
    digest: parameters.digest ?? 'SHA384',
    timestamp: at * 1000,
    pcrs,
    certificate: certificates.at(-1),
    cabundle: certificates.slice(0, -1),
    public_key: null,
    user_data: parameters.userData ?? null,
    nonce: parameters.nonce ?? null,
    ...parameters.members,
  }
  const payload = encode(new Map(Object.entries(members).filter(([, value]) => value !== undefined)))
  const protectedHeader = hexToBytes('0xa1013822')
  const message = sigStructure({ protectedHeader, payload })
  const signature = new Uint8Array(await webcrypto.subtle.sign(SIGN, made.leafKey, message))
  const document = encode([protectedHeader, new Map(), payload, signature])
  return { document, rootHash: keccak256(certificates[0] as Uint8Array), pcrs, certificates }
}
