import { type Hex, keccak256 } from 'viem'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { linksProblem } from '../x509/chain.ts'
import { DerError } from '../x509/der.ts'
import { commonNameOf } from '../x509/name.ts'
import { readPemCertificates } from '../x509/pem.ts'
import { ECDSA_P256 } from '../x509/scheme.ts'

/** What a leaf may speak for: a PCK certificate must not sign collateral, nor Intel's collateral key a quote. */
export type Role = 'pck' | 'tcbSigning' | 'pckCa'

const LEAF_NAMES: Record<Role, readonly string[]> = {
  pck: ['Intel SGX PCK Certificate'],
  tcbSigning: ['Intel SGX TCB Signing'],
  pckCa: ['Intel SGX PCK Platform CA', 'Intel SGX PCK Processor CA'],
}
const LENGTHS: Record<Role, number> = { pck: 3, tcbSigning: 2, pckCa: 2 }

/** A chain as Intel writes it, root first. */
export type IntelChain = {
  /** keccak256 of the root's DER. */
  rootHash: Hex
  certificates: readonly Certificate[]
}

export const leafOf = (chain: IntelChain) => chain.certificates.at(-1) as Certificate
/** The certificate above the leaf. */
export const issuerOfLeaf = (chain: IntelChain) => chain.certificates.at(-2) as Certificate
export const rootOf = (chain: IntelChain) => chain.certificates[0] as Certificate

/** Parses a chain that stands leaf first. @throws DerError */
export function parseChain(leafFirst: readonly Uint8Array[]): IntelChain {
  const root = leafFirst.at(-1)
  if (root === undefined) throw new DerError('the chain is empty')
  const certificates = leafFirst.map((bytes) => parseCertificate(bytes, [ECDSA_P256])).reverse()
  return { rootHash: keccak256(root), certificates }
}

/** @throws PemError, DerError */
export function parsePemChain(pem: string): IntelChain {
  return parseChain(readPemCertificates(pem))
}

/** First thing by which the chain is not of this role or a link does not hold, or undefined; without times. */
export function intelChainProblem(chain: IntelChain, role: Role): string | undefined {
  const { certificates } = chain
  if (certificates.length !== LENGTHS[role]) {
    return `the chain has ${certificates.length} certificates, not ${LENGTHS[role]}`
  }
  const leaf = leafOf(chain)
  const name = commonNameOf(leaf.subject)
  if (name === undefined || !LEAF_NAMES[role].includes(name)) {
    return `the leaf is not named ${LEAF_NAMES[role].join(' or ')}`
  }
  if (role === 'pck') {
    const ca = commonNameOf(issuerOfLeaf(chain).subject)
    if (ca === undefined || !LEAF_NAMES.pckCa.includes(ca)) return 'the PCK certificate is from no PCK CA'
  }
  if (role === 'pckCa') {
    if (leaf.constraints?.isCa !== true || !leaf.keyCertSign) return 'the PCK CA is no CA'
  } else if (leaf.constraints?.isCa === true || leaf.keyCertSign || !leaf.digitalSignature) {
    return 'the leaf may sign certificates, or may not sign data'
  }
  return linksProblem(certificates)
}
