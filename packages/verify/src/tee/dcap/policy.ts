import { type Hex, hexToBytes } from 'viem'
import { utcDay } from '../../utc.ts'
import type { Problem } from '../checklist.ts'
import { type EnclaveReport, isDebug, type TdReport } from './reports.ts'
import type { DcapCode } from './steps.ts'
import { atLeast, type TcbStatus } from './tcbStatus.ts'
import type { Verification } from './verification.ts'

/** What governance accepts of genuine SGX and TDX evidence. Debug is refused under any policy. */
export type DcapPolicy = {
  /** Worst status accepted. */
  minimumStatus: TcbStatus
  /** Intel security advisories, such as `INTEL-SA-00289`, that must not stand open. */
  deniedAdvisories: readonly string[]
  /** Least `tcbEvaluationDataNumber` of TCB info and QE identity: older ones are signed too, but know fewer attacks. */
  minimumEvaluationNumber: number
  /** Earliest date of a TCB level that is accepted, Unix seconds; 0 for any. */
  minimumTcbDate: bigint
  /** Days (`2024-03-13`) of TCB levels that are refused. */
  deniedTcbDates: readonly string[]
  /** TDs that the host may migrate. */
  allowMigratable: boolean
  /** TDs in which an unaccepted page raises #VE, by which the host steps the guest. */
  allowSeptVe: boolean
  /** MRSIGNERSEAM of approved signers of the TDX module. */
  seamSigners: readonly Hex[]
  /** FMSPCs (6 bytes each) of families that are refused. */
  deniedFmspcs: readonly Hex[]
  /** PPIDs (16 bytes each) of processors whose keys are known to have leaked. */
  deniedPpids: readonly Hex[]
}

/**
 * The worst status accepted is the worst that is not out of date: what needs hardening or configuration is safe or unsafe
 * by circumstances that a vote can judge, while for a platform out of date an attack is published. A MRSIGNERSEAM of zero
 * stands for Intel.
 */
export const DEFAULT_DCAP_POLICY: DcapPolicy = {
  minimumStatus: 'ConfigurationAndSWHardeningNeeded',
  deniedAdvisories: [],
  minimumEvaluationNumber: 0,
  minimumTcbDate: 0n,
  deniedTcbDates: [],
  allowMigratable: false,
  allowSeptVe: false,
  seamSigners: [`0x${'00'.repeat(48)}`],
  deniedFmspcs: [],
  deniedPpids: [],
}

// TDATTRIBUTES, by bit of the 64-bit number (TDX module base specification, "TD attributes").
const TUD = 0xffn // "TD under debug": any of these opens the TD to the host
const SEPT_VE_DISABLE = 1n << 28n
const MIGRATABLE = 1n << 29n
const HARMLESS = (1n << 27n) | SEPT_VE_DISABLE | (1n << 30n) | (1n << 31n) | (1n << 63n) // LASS, PKS, KL, PERFMON

const littleEndian = (hex: Hex) =>
  hexToBytes(hex).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
const listed = (list: readonly string[], value: string) =>
  list.some((entry) => entry.toLowerCase() === value.toLowerCase())

function debugProblem(report: TdReport | EnclaveReport): Problem<DcapCode> | undefined {
  const open = report.kind === 'tdx' ? (littleEndian(report.tdAttributes) & TUD) !== 0n : isDebug(report)
  return open ? { code: 'debug', reason: 'it runs in debug mode: its memory is open to the host' } : undefined
}

function attributesProblem(report: TdReport, policy: DcapPolicy): Problem<DcapCode> | undefined {
  const refused = (reason: string): Problem<DcapCode> => ({ code: 'td_attributes_refused', reason })
  const attributes = littleEndian(report.tdAttributes) & ~TUD
  if ((attributes & SEPT_VE_DISABLE) === 0n && !policy.allowSeptVe) {
    return refused('SEPT_VE_DISABLE is off: the host may step the guest by page faults')
  }
  if ((attributes & MIGRATABLE) !== 0n && !policy.allowMigratable) {
    return refused('the TD is migratable: its memory may move to another machine')
  }
  const unknown = attributes & ~(HARMLESS | MIGRATABLE)
  return unknown === 0n ? undefined : refused(`unknown attribute bits are set: 0x${unknown.toString(16)}`)
}

/** Asks whether what was established is wanted; every answer is collected. */
export function judge({ list, found }: Verification, policy: DcapPolicy): void {
  const { deniedAdvisories, minimumEvaluationNumber, minimumTcbDate, deniedTcbDates } = policy
  list.policy('statusAccepted', () => {
    const { status, advisoryIds } = found.verdict
    const minimum = policy.minimumStatus
    if (atLeast(status, minimum)) return undefined
    const why = advisoryIds.length === 0 ? '' : ` (${advisoryIds.join(', ')})`
    const reason = `the platform is ${status}${why}, at least ${minimum} is wanted`
    return { code: 'status_below_minimum', reason }
  })
  if (deniedAdvisories.length === 0) list.skip('advisoriesAccepted', 'policy', 'no advisory is denied')
  else {
    list.policy('advisoriesAccepted', () => {
      const denied = found.verdict.advisoryIds.find((id) => listed(deniedAdvisories, id))
      return denied === undefined ? undefined : { code: 'advisory_denied', reason: `${denied} stands open` }
    })
  }
  if (minimumEvaluationNumber === 0) {
    list.skip('collateralRecent', 'policy', 'no minimum evaluation number was given')
  } else {
    list.policy('collateralRecent', () => {
      const { tcbInfo, qeIdentity } = found
      const number = Math.min(tcbInfo.evaluationNumber, qeIdentity.evaluationNumber)
      const reason = `the evaluation number is ${number}, at least ${minimumEvaluationNumber} is wanted`
      return number < minimumEvaluationNumber
        ? { code: 'evaluation_number_below_minimum', reason }
        : undefined
    })
  }
  if (minimumTcbDate === 0n && deniedTcbDates.length === 0) {
    list.skip('tcbLevel', 'policy', 'no date of a TCB level is wanted or denied')
  } else {
    list.policy('tcbLevel', () => {
      const day = utcDay(found.level.date)
      if (deniedTcbDates.includes(day)) {
        return { code: 'tcb_level_denied', reason: `the TCB level of ${day} is on the deny list` }
      }
      const reason = `the TCB level is of ${day}, at least ${utcDay(minimumTcbDate)} is wanted`
      return found.level.date < minimumTcbDate ? { code: 'tcb_level_too_old', reason } : undefined
    })
  }
  list.policy('notDebug', () => debugProblem(found.quote.report))
  if (found.quote?.teeType === 'sgx') {
    for (const name of ['tdAttributes', 'seamSigner'] as const) {
      list.skip(name, 'policy', 'an enclave of SGX has none')
    }
  } else {
    list.policy('tdAttributes', () => {
      const { report } = found.quote
      return report.kind === 'tdx' ? attributesProblem(report, policy) : undefined
    })
    list.policy('seamSigner', () => {
      const { report } = found.quote
      if (report.kind === 'sgx' || listed(policy.seamSigners, report.mrSignerSeam)) {
        return undefined
      }
      return { code: 'seam_signer_not_approved', reason: `MRSIGNERSEAM is ${report.mrSignerSeam}` }
    })
  }
  const { deniedFmspcs, deniedPpids } = policy
  if (deniedPpids.length + deniedFmspcs.length === 0) {
    list.skip('platformAllowed', 'policy', 'no processor is denied')
  } else {
    list.policy('platformAllowed', () => {
      const { fmspc, ppid } = found.platform
      if (listed(deniedFmspcs, fmspc)) {
        return { code: 'platform_denied', reason: `the family of FMSPC ${fmspc} is denied` }
      }
      return listed(deniedPpids, ppid)
        ? { code: 'platform_denied', reason: `the processor of PPID ${ppid} is denied` }
        : undefined
    })
  }
}
