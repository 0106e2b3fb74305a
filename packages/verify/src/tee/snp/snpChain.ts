import { bytesToHex } from 'viem'
import type { Problem } from '../checklist.ts'
import { type Certificate, parseCertificate } from '../x509/certificate.ts'
import { linksProblem, validityProblem } from '../x509/chain.ts'
import { listIssuedBy, parseRevocationList, type RevocationList } from '../x509/crl.ts'
import { commonNameOf } from '../x509/name.ts'
import { RSA_PSS_SHA384 } from '../x509/rsaPss.ts'
import { ECDSA_P384 } from '../x509/scheme.ts'
import type { Endorsement } from './endorsement.ts'
import { productOfCpuid, productOfName, SNP_PRODUCTS, type SnpProduct } from './product.ts'
import type { SnpReport } from './snpReport.ts'
import { tcbBytes } from './tcb.ts'

/** ARK, ASK or ASVK, VCEK or VLEK. */
export type SnpChain = readonly [Certificate, Certificate, Certificate]

export type SnpChainCode =
  | 'chain_broken' // a link of ARK → ASK → VCEK does not hold
  | 'certificate_role' // a certificate of another role or product stands in this place
  | 'certificate_time' // a certificate does not hold at this time
  | 'crl_forged' // the revocation list is not the root's
  | 'crl_stale' // the revocation list does not cover this time
  | 'revoked'

const AMD_SCHEMES = [RSA_PSS_SHA384, ECDSA_P384]

/** @throws Error unless these are three certificates */
export function readSnpChain(certificates: readonly Uint8Array[]): SnpChain {
  const [ark, ask, leaf, ...rest] = certificates.map((bytes) => parseCertificate(bytes, AMD_SCHEMES))
  if (ark === undefined || ask === undefined || leaf === undefined || rest.length > 0) {
    throw new Error('a chain is root, intermediate and endorsement key')
  }
  return [ark, ask, leaf]
}

/** Product line that this root speaks for; only of an approved root, whose bytes are its promise. */
export function productOfRoot([ark]: SnpChain): SnpProduct | undefined {
  const name = commonNameOf(ark.subject)
  return SNP_PRODUCTS.find((product) => name === `ARK-${product}`)
}

/** Names of each role: another role's certificate must not stand in this place, whoever signed it. */
function roleProblem(
  chain: SnpChain,
  product: SnpProduct,
  signer: 'VCEK' | 'VLEK',
): Problem<SnpChainCode> | undefined {
  const expected =
    signer === 'VCEK'
      ? [`ARK-${product}`, `SEV-${product}`, 'SEV-VCEK']
      : [`ARK-${product}`, `SEV-VLEK-${product}`, 'SEV-VLEK']
  for (const [at, certificate] of chain.entries()) {
    const name = commonNameOf(certificate.subject)
    if (name !== expected[at]) {
      return { code: 'certificate_role', reason: `certificate ${at} is ${name}, not ${expected[at]}` }
    }
  }
  const [ark, ask, leaf] = chain
  if (ark.keyScheme !== RSA_PSS_SHA384 || ask.keyScheme !== RSA_PSS_SHA384) {
    return { code: 'certificate_role', reason: 'an AMD authority signs with RSA-4096' }
  }
  if (leaf.keyScheme !== ECDSA_P384) {
    return { code: 'certificate_role', reason: 'an endorsement key is on P-384' }
  }
  if (leaf.constraints?.isCa === true || leaf.keyCertSign) {
    return { code: 'certificate_role', reason: 'the endorsement key is a certificate authority' }
  }
  return undefined
}

/** ARK → ASK → endorsement key, each in its role. */
export function snpChainProblem(
  chain: SnpChain,
  product: SnpProduct,
  signer: 'VCEK' | 'VLEK',
): Problem<SnpChainCode> | undefined {
  const role = roleProblem(chain, product, signer)
  if (role !== undefined) return role
  const links = linksProblem(chain)
  return links === undefined ? undefined : { code: 'chain_broken', reason: links }
}

export function snpTimeProblem(chain: SnpChain, now: bigint): Problem<SnpChainCode> | undefined {
  const reason = validityProblem(chain, now)
  return reason === undefined ? undefined : { code: 'certificate_time', reason }
}

/** The root's own list: genuine, of this time, and without the intermediate (chips' serials are all zero). */
export function snpCrlProblem(
  chain: SnpChain,
  bytes: Uint8Array,
  now: bigint,
): Problem<SnpChainCode> | undefined {
  const [ark, ask] = chain
  let list: RevocationList
  try {
    list = parseRevocationList(bytes, AMD_SCHEMES)
  } catch (error) {
    return { code: 'crl_forged', reason: `the revocation list cannot be read: ${(error as Error).message}` }
  }
  if (!listIssuedBy(list, ark)) {
    return { code: 'crl_forged', reason: 'the revocation list was not signed by this root' }
  }
  if (now < list.thisUpdate || now > list.nextUpdate) {
    const reason = `the revocation list holds from ${list.thisUpdate} to ${list.nextUpdate}, not at ${now}`
    return { code: 'crl_stale', reason }
  }
  return list.revoked.has(ask.serial)
    ? { code: 'revoked', reason: 'the root revoked the intermediate' }
    : undefined
}

export type EndorsementCode =
  | 'product_differs' // root, certificate and report speak of different product lines
  | 'tcb_differs' // the key is of other patch levels than the report claims
  | 'chip_differs' // the key is another chip's
  | 'key_form' // VCEK without chip, or VLEK with one

/** The certificate's product, patch levels and chip are those of the report. */
export function endorsementProblem(
  endorsement: Endorsement,
  report: SnpReport,
  product: SnpProduct,
): Problem<EndorsementCode> | undefined {
  if (productOfName(endorsement.productName) !== product) {
    return { code: 'product_differs', reason: `the certificate is for ${endorsement.productName}` }
  }
  if (report.cpuid !== undefined) {
    const { family, model } = report.cpuid
    if (productOfCpuid(family, model) !== product) {
      const cpu = `family 0x${family.toString(16)} model 0x${model.toString(16)}`
      return { code: 'product_differs', reason: `the report comes from CPU ${cpu}, which is not ${product}` }
    }
  }
  if (product === 'Turin' && endorsement.tcb.fmc === undefined) {
    return { code: 'tcb_differs', reason: 'a Turin certificate states an FMC level' }
  }
  const certified = tcbBytes(endorsement.tcb, product)
  if (certified.some((byte, at) => byte !== report.reportedTcb[at])) {
    const [wanted, found] = [certified, report.reportedTcb].map((bytes) => bytesToHex(bytes))
    const reason = `the key is certified for TCB ${wanted}, the report claims ${found}`
    return { code: 'tcb_differs', reason }
  }
  return chipProblem(endorsement, report, product)
}

function chipProblem(
  { hardwareId, cloud }: Endorsement,
  { signer, chipId }: SnpReport,
  product: SnpProduct,
): Problem<EndorsementCode> | undefined {
  if (signer === 'VLEK') {
    return hardwareId === undefined && cloud !== undefined
      ? undefined
      : { code: 'key_form', reason: 'a VLEK names a cloud and no chip' }
  }
  if (hardwareId === undefined || cloud !== undefined) {
    return { code: 'key_form', reason: 'a VCEK names a chip and no cloud' }
  }
  if (hardwareId.length !== 64 && product !== 'Turin') {
    return { code: 'key_form', reason: `a chip's id has 64 bytes, here ${hardwareId.length}` }
  }
  const id = bytesToHex(hardwareId)
  // Turin uses eight bytes and leaves the rest of CHIP_ID zero.
  if (chipId === id.padEnd(2 + 128, '0')) return undefined
  const masked = /^0x0+$/.test(chipId) ? ' (the host masks it)' : ''
  return {
    code: 'chip_differs',
    reason: `the key is chip ${id.slice(0, 18)}…'s, the report says ${chipId.slice(0, 18)}…${masked}`,
  }
}
