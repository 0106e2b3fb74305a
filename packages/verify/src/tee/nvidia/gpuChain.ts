import { bytesToHex, type Hex, keccak256 } from 'viem'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { linksProblem } from '../x509/chain.ts'
import { type Der, expectTag, readChildren, readDer, TAG } from '../x509/der.ts'
import { commonNameOf } from '../x509/name.ts'
import { ECDSA_P384 } from '../x509/scheme.ts'

/** Root, identity, provisioner, device (burnt into its boot ROM), firmware; room for one more. */
const MAX_CHAIN = 6

/** TCG's DiceTcbInfo (2.23.133.5.4.1) and the form that NVIDIA gave it (2.23.133.5.4.1.1). */
const FIRMWARE_INFO = ['0x678105050401', '0x67810505040101'] as const
const SHA384_OID = '0x608648016503040202'
const MAX_DEPTH = 6

/** Root first. @throws Error */
export function readGpuChain(certificates: readonly Uint8Array[]): Certificate[] {
  if (certificates.length > MAX_CHAIN) throw new Error(`the chain has ${certificates.length} certificates`)
  return certificates.map((bytes) => parseCertificate(bytes, [ECDSA_P384], FIRMWARE_INFO))
}

/** First thing wrong with the links, or with the leaf as a signer of reports. */
export function gpuChainProblem(chain: readonly Certificate[]): string | undefined {
  if (chain.length < 3) return 'the chain has no device certificate between root and signing key'
  const links = linksProblem(chain)
  if (links !== undefined) return links
  const leaf = chain[chain.length - 1] as Certificate
  if (leaf.constraints?.isCa === true || leaf.keyCertSign) return 'the leaf is a CA'
  return leaf.digitalSignature ? undefined : 'the leaf may not sign reports'
}

/** A GPU die, e.g. GH100 or GB202; NVIDIA's switches hang under the same root and are called LS10. */
const GPU = /^G[A-Z]\d{3}\b/

/** keccak256 of the device certificate's key, which is burnt into the GPU. @throws Error where there is none */
export function deviceIdOf(chain: readonly Certificate[]): Hex {
  const device = chain[chain.length - 2]
  if (device === undefined) throw new Error('the chain has no device certificate')
  return keccak256(device.publicKey)
}

/** What the device certificate calls the device, e.g. "GH100 A01 GSP BROM". */
export function modelOf(chain: readonly Certificate[]): string {
  return commonNameOf((chain[chain.length - 2] as Certificate).subject) ?? 'a device without a name'
}

export const isGpu = (model: string): boolean => GPU.test(model)

/** Digests of firmware in a tree of DER: each SEQUENCE of the SHA-384 identifier and 48 bytes. */
function* firmwareDigests(element: Der, depth: number): Generator<Hex> {
  if ((element.tag & 0x20) === 0 || depth === MAX_DEPTH) return
  const [first, second, ...rest] = readChildren(element)
  if (first?.tag === TAG.oid && second?.tag === TAG.octetString && rest.length === 0) {
    if (bytesToHex(first.content) === SHA384_OID && second.content.length === 48) {
      yield bytesToHex(second.content)
    }
    return
  }
  for (const child of readChildren(element)) yield* firmwareDigests(child, depth + 1)
}

/** Firmware that the leaf's key was derived for. @throws Error where the leaf does not say */
export function firmwareOf(leaf: Certificate): Hex[] {
  const info = FIRMWARE_INFO.map((oid) => leaf.extensions.get(oid)).find((value) => value !== undefined)
  if (info === undefined) throw new Error('the certificate names no firmware')
  return [...firmwareDigests(expectTag(readDer(info.value, TAG.sequence), TAG.sequence, 'firmware'), 0)]
}
