import { snpMeasurement } from '@assay/protocol'
import { type Hex, keccak256 } from 'viem'
import { Checklist, type TeeReport } from '../checklist.ts'
import { matchRoot, type TrustedRoot } from '../trustedRoot.ts'
import { verifyP384 } from '../x509/scheme.ts'
import { type Endorsement, readEndorsement } from './endorsement.ts'
import type { SnpProduct } from './product.ts'
import {
  type EndorsementCode,
  endorsementProblem,
  productOfRoot,
  readSnpChain,
  type SnpChain,
  type SnpChainCode,
  snpChainProblem,
  snpCrlProblem,
  snpTimeProblem,
} from './snpChain.ts'
import { DEFAULT_SNP_POLICY, type SnpPolicy } from './snpPolicy.ts'
import { parseSnpReport, type SnpReport, type SnpSigner } from './snpReport.ts'
import { readTcb, type SnpTcb, tcbBelow, tcbNumber } from './tcb.ts'

export type SnpEvidence = {
  /** ATTESTATION_REPORT, 1,184 bytes. */
  report: Uint8Array
  /** DER, root first: ARK, ASK (or ASVK), VCEK (or VLEK). */
  certificates: readonly Uint8Array[]
  /** DER of the root's revocation list, as the key distribution service gives it. */
  crl?: Uint8Array | undefined
}

export type VerifySnpParameters = {
  /** Approved roots (AMD's ARKs), one per product line. */
  roots: readonly TrustedRoot[]
  /** Time to judge as of, Unix seconds. A report carries no time of its own: freshness comes from `expectedReportData`. */
  now: bigint
  /** Parts of the policy that differ from `DEFAULT_SNP_POLICY`. */
  policy?: Partial<SnpPolicy> | undefined
  /** 32 or 64 bytes; 32 are followed by zeros in the report. */
  expectedReportData?: Hex | undefined
  /** `snpMeasurement(…)` that was approved: MEASUREMENT and HOST_DATA in one. */
  expectedMeasurement?: Hex | undefined
  /** MEASUREMENT alone, 48 bytes. */
  expectedLaunchDigest?: Hex | undefined
  /** HOST_DATA alone, 32 bytes. */
  expectedHostData?: Hex | undefined
}

/** The checks, in the order of their dependence; a name never changes its meaning. */
export const SNP_STEPS = [
  'reportShape', // size, version, algorithm, reserved bytes
  'signingKey', // the chip signed, with a key of a kind we know
  'rootApproved', // the first certificate is an approved root, byte for byte
  'chainLinks', // ARK → ASK → endorsement key, each in its role
  'chainTime', // every certificate holds now
  'notRevoked', // the root's revocation list is genuine, current, and names none of them
  'endorsement', // product, patch levels and chip of the certificate are those of the report
  'signature', // the endorsement key signed this report
  'productAccepted', // policy: the product line
  'signerAccepted', // policy: VCEK or VLEK
  'notDebug', // policy: the host cannot read the guest
  'notMigratable', // policy: no migration agent can take the guest elsewhere
  'privilegeLevel', // policy: VMPL
  'minimumTcb', // policy: patch levels, least and denied ones
  'chipAccepted', // policy: deny list
  'measurement', // runs the code, with the configuration, that was approved
  'launchDigest', // runs the code expected
  'hostData', // launched with the configuration expected
  'reportData', // speaks for the key and operator expected
] as const
export type SnpStepName = (typeof SNP_STEPS)[number]

export type SnpCode =
  | SnpChainCode
  | EndorsementCode
  | 'chip_unsigned' // MASK_CHIP_KEY, or no signing key at all
  | 'root_unknown'
  | 'report_signature'
  | 'product_denied'
  | 'signer_denied'
  | 'debug_enabled'
  | 'migration_enabled'
  | 'vmpl_too_high'
  | 'tcb_too_low'
  | 'tcb_denied'
  | 'chip_denied'
  | 'chip_masked' // a deny list is in force and the report names no chip
  | 'crl_absent' // policy wants a revocation list
  | 'measurement_differs'
  | 'launch_digest_differs'
  | 'host_data_differs'
  | 'report_data_differs'

export type SnpAttestation = {
  kind: 'snp'
  hardwareType: Hex
  rootHash: Hex
  product: SnpProduct
  signer: SnpSigner
  /** `snpMeasurement(…)`: MEASUREMENT and HOST_DATA, as governance approves them. */
  measurement: Hex
  chipId: Hex
  reportedTcb: SnpTcb
  reportData: Hex
  /** Identity of the report for de-duplication: (r, n − s) signs the same bytes, so the signature is no part of it. */
  payloadHash: Hex
}

export type SnpVerification = TeeReport<SnpStepName, SnpCode, SnpAttestation>

/** Everything the checks learn about one piece of evidence; filled by the first, read behind them. */
type Found = {
  report: SnpReport
  chain: SnpChain
  endorsement: Endorsement
  root: TrustedRoot
  product: SnpProduct
  signer: SnpSigner
}

/**
 * Verifies an AMD SEV-SNP attestation report and its chain. Pure, bounded, and without exceptions: hostile bytes give a
 * failed step. Genuine evidence that policy does not want has the verdict `valid_but_refused`.
 */
export function verifySnp(evidence: SnpEvidence, parameters: VerifySnpParameters): SnpVerification {
  const list = new Checklist<SnpStepName, SnpCode>()
  const policy = { ...DEFAULT_SNP_POLICY, ...parameters.policy }
  const found = {} as Found
  checkValidity(list, evidence, parameters, policy, found)
  checkPolicy(list, policy, found)
  compare(list, parameters, found)
  return list.report(() => attestationOf(found))
}

function checkValidity(
  list: Checklist<SnpStepName, SnpCode>,
  evidence: SnpEvidence,
  { roots, now }: VerifySnpParameters,
  { requireRevocationList }: SnpPolicy,
  found: Found,
): void {
  list.check('reportShape', () => {
    found.report = parseSnpReport(evidence.report)
    return undefined
  })
  list.check('signingKey', () => {
    const { maskChipKey, signer } = found.report
    if (maskChipKey || signer === 'none') {
      const reason = 'the host forbade the chip to sign (MASK_CHIP_KEY), so nothing vouches for this report'
      return { code: 'chip_unsigned', reason }
    }
    found.signer = signer
    return undefined
  })
  list.check('rootApproved', () => {
    if (evidence.certificates.length !== 3) return { code: 'chain_broken', reason: 'not three certificates' }
    const { root, rootHash } = matchRoot(evidence.certificates[0], roots)
    if (root === undefined) return { code: 'root_unknown', reason: `root ${rootHash} is not approved` }
    found.root = root
    return undefined
  })
  list.check('chainLinks', () => {
    found.chain = readSnpChain(evidence.certificates)
    const product = productOfRoot(found.chain)
    if (product === undefined) {
      return { code: 'certificate_role', reason: 'the root is of no product line known here' }
    }
    found.product = product
    return snpChainProblem(found.chain, product, found.signer)
  })
  list.check('chainTime', () => snpTimeProblem(found.chain, now))
  const { crl } = evidence
  if (crl !== undefined) list.check('notRevoked', () => snpCrlProblem(found.chain, crl, now))
  else if (requireRevocationList) {
    list.policy('notRevoked', () => ({
      code: 'crl_absent',
      reason: 'the evidence brings no revocation list',
    }))
  } else list.skip('notRevoked', 'validity', 'the evidence brings no revocation list')
  list.check('endorsement', () => {
    found.endorsement = readEndorsement(found.chain[2])
    return endorsementProblem(found.endorsement, found.report, found.product)
  })
  list.check('signature', () => {
    const { signed, signature } = found.report
    return verifyP384(found.chain[2].publicKey, signed, signature, 'compact')
      ? undefined
      : { code: 'report_signature', reason: 'the endorsement key did not sign this report' }
  })
}

function checkPolicy(list: Checklist<SnpStepName, SnpCode>, policy: SnpPolicy, found: Found): void {
  list.policy('productAccepted', () => {
    if (policy.products.includes(found.product)) return undefined
    const why =
      found.product === 'Milan'
        ? "the root seed of Milan's chip keys can be extracted in software, so its signatures prove no hardware"
        : `policy does not accept ${found.product}`
    return { code: 'product_denied', reason: why }
  })
  list.policy('signerAccepted', () => {
    if (policy.signers.includes(found.signer)) return undefined
    const why = found.signer === 'VLEK' ? ": a cloud's machines share it, so it names no chip" : ''
    return { code: 'signer_denied', reason: `policy does not accept a ${found.signer}${why}` }
  })
  list.policy('notDebug', () =>
    found.report.policy.debug
      ? {
          code: 'debug_enabled',
          reason: 'the guest allows debugging: the host can read and write its memory',
        }
      : undefined,
  )
  list.policy('notMigratable', () =>
    found.report.policy.migration
      ? {
          code: 'migration_enabled',
          reason: 'the guest may be handed to a migration agent with all its secrets',
        }
      : undefined,
  )
  list.policy('privilegeLevel', () =>
    found.report.vmpl > policy.maxVmpl
      ? {
          code: 'vmpl_too_high',
          reason: `asked for from VMPL ${found.report.vmpl}, at most ${policy.maxVmpl}`,
        }
      : undefined,
  )
  list.policy('minimumTcb', () => tcbProblem(found, policy))
  list.policy('chipAccepted', () => {
    if (policy.deniedChips.length === 0) return undefined
    const { chipId } = found.report
    if (/^0x0+$/.test(chipId)) {
      return { code: 'chip_masked', reason: 'the host masks the chip, so no deny list can be applied' }
    }
    return policy.deniedChips.some((denied) => denied.toLowerCase() === chipId)
      ? { code: 'chip_denied', reason: `chip ${chipId.slice(0, 18)}… is on the deny list` }
      : undefined
  })
}

/** Running, committed, launched and reported levels: a guest launched on old firmware may have been tampered with then. */
function tcbProblem({ report, product }: Found, policy: SnpPolicy) {
  const minimum = policy.minimumTcb[product] ?? {}
  const levels = {
    reported: report.reportedTcb,
    committed: report.committedTcb,
    current: report.currentTcb,
    launch: report.launchTcb,
  }
  for (const [name, bytes] of Object.entries(levels)) {
    const below = tcbBelow(readTcb(bytes, product), minimum)
    if (below !== undefined) return { code: 'tcb_too_low' as const, reason: `${name} ${below}` }
    const number = tcbNumber(bytes)
    if (policy.deniedTcbs.some((denied) => denied.product === product && denied.tcb === number)) {
      const reason = `${name} TCB 0x${number.toString(16)} is on the deny list`
      return { code: 'tcb_denied' as const, reason }
    }
  }
  return undefined
}

function compare(
  list: Checklist<SnpStepName, SnpCode>,
  { expectedMeasurement, expectedLaunchDigest, expectedHostData, expectedReportData }: VerifySnpParameters,
  found: Found,
): void {
  const field = (
    name: SnpStepName,
    expected: Hex | undefined,
    bytes: number,
    actual: () => Hex,
    code: SnpCode,
  ) => {
    if (expected === undefined) {
      list.skip(name, 'policy', 'nothing was given to compare with')
      return
    }
    const wanted = `0x${expected
      .slice(2)
      .toLowerCase()
      .padEnd(bytes * 2, '0')}`
    list.policy(name, () =>
      actual() === wanted ? undefined : { code, reason: `it is ${actual()}, expected ${wanted}` },
    )
  }
  field('measurement', expectedMeasurement, 32, () => measurementOf(found.report), 'measurement_differs')
  field('launchDigest', expectedLaunchDigest, 48, () => found.report.measurement, 'launch_digest_differs')
  field('hostData', expectedHostData, 32, () => found.report.hostData, 'host_data_differs')
  field('reportData', expectedReportData, 64, () => found.report.reportData, 'report_data_differs')
}

const measurementOf = ({ measurement, hostData }: SnpReport) => snpMeasurement(measurement, hostData)

function attestationOf({ report, root, product, signer }: Found): SnpAttestation {
  return {
    kind: 'snp',
    hardwareType: root.hardwareType,
    rootHash: root.rootHash,
    product,
    signer,
    measurement: measurementOf(report),
    chipId: report.chipId,
    reportedTcb: readTcb(report.reportedTcb, product),
    reportData: report.reportData,
    payloadHash: keccak256(report.signed),
  }
}
