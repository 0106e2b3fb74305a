import { concatBytes, HARDWARE_SGX, HARDWARE_TDX } from '@assay/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, type Hex, hexToBytes, keccak256 } from 'viem'
import { Checklist, type Problem, type TeeReport } from '../checklist.ts'
import type { TrustedRoot } from '../nitro.ts'
import type { Certificate } from '../x509/certificate.ts'
import { validityProblem } from '../x509/chain.ts'
import { parseRevocationList, type RevocationList } from '../x509/crl.ts'
import { ECDSA_P256, verifyP256 } from '../x509/scheme.ts'
import { type IntelChain, intelChainProblem, leafOf, parseChain, parsePemChain, rootOf } from './chains.ts'
import { boundCollateral, type DcapCollateral } from './collateral.ts'
import { type PckPlatform, readPckPlatform } from './pckExtension.ts'
import { compare, type DcapExpectations, type DcapPolicy, type Established, judge } from './policy.ts'
import { type QeIdentity, qeProblem, readQeIdentity } from './qeIdentity.ts'
import { type Quote, readQuote } from './quote.ts'
import type { EnclaveReport, TdReport } from './reports.ts'
import { listProblem, revokedAmong } from './revocation.ts'
import type { DcapCode, DcapStepName } from './steps.ts'
import { moduleVerdict, platformLevel, qeVerdict } from './tcb.ts'
import { readTcbInfo, type TcbInfo, type TcbLevel } from './tcbInfo.ts'
import { converge, type TcbStatus, type TcbVerdict } from './tcbStatus.ts'

/** keccak256 of the DER of Intel's production root, "Intel SGX Root CA", serial 22650cd6…, valid to the end of 2049. */
export const INTEL_ROOT_HASH: Hex = '0xa1acc73eb45794fa1734f14d882e91925b6006f79d3bb2460df9d01b333d7009'

export type VerifyDcapParameters = {
  /** Approved roots, each for HARDWARE_TDX or HARDWARE_SGX: approving Intel's root for one says nothing of the other. */
  roots: readonly TrustedRoot[]
  /** Time to judge as of, Unix seconds: certificates, revocation lists and collateral must hold then. */
  now: bigint
  policy?: DcapPolicy | undefined
  expected?: DcapExpectations | undefined
}

export type DcapAttestation = {
  hardwareType: Hex
  teeType: 'sgx' | 'tdx'
  rootHash: Hex
  quoteVersion: 3 | 4 | 5
  /** All measurements. */
  report: TdReport | EnclaveReport
  /** Platform, TDX module and quoting enclave together. */
  status: TcbStatus
  advisoryIds: readonly string[]
  /** Unix seconds: Intel's date of the TCB level that the platform reaches. */
  tcbDate: bigint
  /** Of the older of TCB info and QE identity. */
  evaluationNumber: number
  fmspc: Hex
  ppid: Hex
  platformInstanceId: Hex | undefined
  /** Unix seconds: last at which this collateral still holds. */
  validUntil: bigint
  /** Identity for de-duplication, keccak256 of header and body: (r, n − s) signs the same, so a quote's bytes are none. */
  quoteHash: Hex
}

export type DcapReport = TeeReport<DcapStepName, DcapCode, DcapAttestation>

type Found = Problem<DcapCode> | undefined

/** Problem of a code, where there is a reason. */
const problem = (code: DcapCode, reason: string | undefined): Found =>
  reason === undefined ? undefined : { code, reason }

const UNCOMPRESSED = Uint8Array.of(4)
const point = (xy: Uint8Array) => concatBytes([UNCOMPRESSED, xy])

/** What Intel's JSON documents share. */
type Dated = { issueDate: bigint; nextUpdate: bigint }
const within = ({ issueDate, nextUpdate }: Dated, now: bigint) => issueDate <= now && now <= nextUpdate

/**
 * Verifies an Intel SGX or TDX quote by collateral, as of a time. Pure, bounded, and without exceptions: hostile bytes
 * give a failed step. Nothing is fetched; whoever holds the quote holds the collateral with it.
 */
export function verifyDcap(
  bytes: Uint8Array,
  collateral: DcapCollateral,
  { roots, now, policy = {}, expected = {} }: VerifyDcapParameters,
): DcapReport {
  const list = new Checklist<DcapStepName, DcapCode>()
  // Filled by the first checks; read only behind them, since `check` stops at the first failure.
  let quote: Quote | undefined
  let pckChain = {} as IntelChain
  let tcbChain = {} as IntelChain
  let qeChain = {} as IntelChain
  let crlChain = {} as IntelChain
  let rootCrl = {} as RevocationList
  let pckCrl = {} as RevocationList
  let tcbInfo = {} as TcbInfo
  let qeIdentity = {} as QeIdentity
  let platform = {} as PckPlatform
  let level = {} as TcbLevel
  let module: TcbVerdict | undefined
  let verdict = {} as TcbVerdict
  const read = () => quote as Quote

  const chainProblem = (chain: IntelChain, role: 'pck' | 'tcbSigning' | 'pckCa'): Found => {
    const hardwareType = read().teeType === 'tdx' ? HARDWARE_TDX : HARDWARE_SGX
    const approved = roots.some(
      (root) => root.rootHash.toLowerCase() === chain.rootHash && root.hardwareType === hardwareType,
    )
    if (!approved) {
      const reason = `root ${chain.rootHash} is not approved for ${read().teeType}`
      return { code: 'root_not_approved', reason }
    }
    // Two encodings of one root may both be approved, since Intel reissued it; two keys may not speak for one platform.
    if (bytesToHex(rootOf(chain).publicKey) !== bytesToHex(rootOf(pckChain).publicKey)) {
      return { code: 'root_not_approved', reason: 'the root is not that of the PCK certificate' }
    }
    return (
      problem('certificate_not_valid_then', validityProblem(chain.certificates, now)) ??
      problem('chain_invalid', intelChainProblem(chain, role))
    )
  }

  list.check('quoteShape', () => {
    quote = readQuote(bytes)
    return undefined
  })
  list.check('pckChain', () => {
    pckChain = parseChain(read().pckChain)
    return chainProblem(pckChain, 'pck')
  })
  list.check('tcbInfoChain', () => {
    boundCollateral(collateral)
    tcbChain = parsePemChain(collateral.tcbInfoIssuerChain)
    return chainProblem(tcbChain, 'tcbSigning')
  })
  list.check('qeIdentityChain', () => {
    // Intel signs both documents by one key, so mostly this chain was verified just now.
    if (collateral.qeIdentityIssuerChain === collateral.tcbInfoIssuerChain) {
      qeChain = tcbChain
      return undefined
    }
    qeChain = parsePemChain(collateral.qeIdentityIssuerChain)
    return chainProblem(qeChain, 'tcbSigning')
  })
  list.check('rootCrl', () => {
    rootCrl = parseRevocationList(collateral.rootCaCrl, [ECDSA_P256])
    return listProblem(rootCrl, rootOf(pckChain), now)
  })
  list.check('pckCrl', () => {
    crlChain = parsePemChain(collateral.pckCrlIssuerChain)
    const ca = pckChain.certificates[1] as Certificate
    const listed = leafOf(crlChain)
    if (listed.subject !== ca.subject || bytesToHex(listed.publicKey) !== bytesToHex(ca.publicKey)) {
      return {
        code: 'crl_issuer_differs',
        reason: 'the list is of another CA than issued the PCK certificate',
      }
    }
    pckCrl = parseRevocationList(collateral.pckCrl, [ECDSA_P256])
    return chainProblem(crlChain, 'pckCa') ?? listProblem(pckCrl, listed, now)
  })
  list.check('notRevoked', () => {
    const belowRoot = [pckChain, tcbChain, qeChain, crlChain].map(
      (chain) => chain.certificates[1] as Certificate,
    )
    const hit = revokedAmong(rootCrl, belowRoot) ?? revokedAmong(pckCrl, [leafOf(pckChain)])
    return problem('certificate_revoked', hit && `certificate ${hit.serial} was revoked by its issuer`)
  })
  list.check('tcbInfo', () => {
    const signed = new TextEncoder().encode(collateral.tcbInfo)
    if (!verifyP256(leafOf(tcbChain).publicKey, signed, collateral.tcbInfoSignature, 'compact')) {
      return { code: 'tcb_info_forged', reason: 'Intel did not sign this TCB info' }
    }
    tcbInfo = readTcbInfo(collateral.tcbInfo)
    const { issueDate, nextUpdate } = tcbInfo
    const reason = `the TCB info holds from ${issueDate} to ${nextUpdate}, not at ${now}`
    return within(tcbInfo, now) ? undefined : { code: 'tcb_info_not_valid_then', reason }
  })
  list.check('qeIdentity', () => {
    const signed = new TextEncoder().encode(collateral.qeIdentity)
    if (!verifyP256(leafOf(qeChain).publicKey, signed, collateral.qeIdentitySignature, 'compact')) {
      return { code: 'qe_identity_forged', reason: 'Intel did not sign this QE identity' }
    }
    qeIdentity = readQeIdentity(collateral.qeIdentity)
    const { issueDate, nextUpdate } = qeIdentity
    const reason = `the QE identity holds from ${issueDate} to ${nextUpdate}, not at ${now}`
    return within(qeIdentity, now) ? undefined : { code: 'qe_identity_not_valid_then', reason }
  })
  list.check('qeReport', () => {
    const { qeReportBytes, qeReportSignature } = read()
    const holds = verifyP256(leafOf(pckChain).publicKey, qeReportBytes, qeReportSignature, 'compact')
    return holds ? undefined : { code: 'qe_report_forged', reason: 'the PCK key did not sign the QE report' }
  })
  list.check('attestationKey', () => {
    const { qeReport, attestationKey, qeAuthData } = read()
    const committed = hexToBytes(qeReport.reportData)
    const key = sha256(concatBytes([attestationKey, qeAuthData]))
    const bound = committed.every((byte, at) => byte === (at < 32 ? key[at] : 0))
    const reason = 'the quoting enclave vouches for another attestation key'
    return bound ? undefined : { code: 'attestation_key_unbound', reason }
  })
  list.check('quotingEnclave', () => {
    const { qeReport, teeType } = read()
    if (qeIdentity.teeType !== teeType) {
      const reason = `the QE identity is for ${qeIdentity.teeType}, the quote for ${teeType}`
      return { code: 'collateral_of_other_tee', reason }
    }
    if (((hexToBytes(qeReport.attributes)[0] as number) & 0x02) !== 0) {
      return {
        code: 'qe_debug',
        reason: 'the quoting enclave runs in debug mode: its key is open to the host',
      }
    }
    return problem('qe_unknown', qeProblem(qeReport, qeIdentity))
  })
  list.check('quoteSignature', () => {
    const { attestationKey, signed, signature } = read()
    const holds = verifyP256(point(attestationKey), signed, signature, 'compact')
    return holds ? undefined : { code: 'quote_forged', reason: 'the attestation key did not sign this quote' }
  })
  list.check('platform', () => {
    platform = readPckPlatform(leafOf(pckChain))
    const { teeType } = read()
    if (tcbInfo.teeType !== teeType) {
      const reason = `the TCB info is for ${tcbInfo.teeType}, the quote for ${teeType}`
      return { code: 'collateral_of_other_tee', reason }
    }
    if (tcbInfo.fmspc !== platform.fmspc || tcbInfo.pceId !== platform.pceId) {
      const reason = `the TCB info is for FMSPC ${tcbInfo.fmspc}, the platform is of ${platform.fmspc}`
      return { code: 'collateral_of_other_platform', reason }
    }
    return undefined
  })
  if (quote?.teeType === 'sgx')
    list.skip('tdxModule', 'validity', 'an enclave of SGX runs under no TDX module')
  else {
    list.check('tdxModule', () => {
      const { report } = read()
      const found = report.kind === 'tdx' ? moduleVerdict(tcbInfo, report) : undefined
      if (typeof found === 'string') return { code: 'tdx_module_unknown', reason: found }
      module = found
      return undefined
    })
  }
  list.check('tcbStatus', () => {
    const { report, qeReport } = read()
    const reached = platformLevel(tcbInfo, platform, report.kind === 'tdx' ? report : undefined)
    const qe = qeVerdict(qeIdentity, qeReport.isvSvn)
    if (reached === undefined || qe === undefined) {
      const part = reached === undefined ? 'platform' : 'quoting enclave'
      return { code: 'tcb_unrecognised', reason: `the ${part} is below every level that Intel lists` }
    }
    level = reached
    verdict = [module, qe].reduce<TcbVerdict>(
      (sum, part) => (part === undefined ? sum : converge(sum, part)),
      level.verdict,
    )
    return verdict.status === 'Revoked'
      ? { code: 'tcb_revoked', reason: 'Intel has revoked this level of the platform' }
      : undefined
  })

  const facts = (): Established => ({
    report: read().report,
    verdict,
    evaluationNumber: { tcbInfo: tcbInfo.evaluationNumber, qeIdentity: qeIdentity.evaluationNumber },
    ppid: platform.ppid,
  })
  judge(list, quote?.teeType, facts, policy)
  compare(list, facts, expected)

  return list.report(() => {
    const { teeType, version, report, signed } = read()
    const chains = [pckChain, tcbChain, qeChain, crlChain].flatMap(({ certificates }) => certificates)
    const ends = [
      ...chains.map(({ notAfter }) => notAfter),
      ...[rootCrl, pckCrl, tcbInfo, qeIdentity].map(({ nextUpdate }) => nextUpdate),
    ]
    return {
      hardwareType: teeType === 'tdx' ? HARDWARE_TDX : HARDWARE_SGX,
      teeType,
      rootHash: pckChain.rootHash,
      quoteVersion: version,
      report,
      ...verdict,
      tcbDate: level.date,
      evaluationNumber: Math.min(tcbInfo.evaluationNumber, qeIdentity.evaluationNumber),
      fmspc: platform.fmspc,
      ppid: platform.ppid,
      platformInstanceId: platform.platformInstanceId,
      validUntil: ends.sort((a, b) => Number(a - b))[0] as bigint,
      quoteHash: keccak256(signed),
    }
  })
}
