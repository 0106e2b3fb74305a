import { sgxMeasurement, tdxMeasurement } from '@assay/protocol'
import { type Hex, hexToBytes } from 'viem'
import type { Problem } from '../checklist.ts'
import { replayRtmrs, type TdEvent } from './eventLog.ts'
import { type EnclaveReport, isDebug, type TdReport } from './reports.ts'
import type { DcapCode } from './steps.ts'
import { atLeast, type TcbStatus } from './tcbStatus.ts'
import type { Verification } from './verification.ts'

/** What governance accepts of genuine SGX and TDX evidence. */
export type DcapPolicy = {
  /** Worst status accepted. */
  minimumStatus: TcbStatus
  /** Intel security advisories, such as `INTEL-SA-00289`, that must not stand open. */
  deniedAdvisories: readonly string[]
  /** Least `tcbEvaluationDataNumber` of TCB info and QE identity: older ones are signed too, but know fewer attacks. */
  minimumEvaluationNumber: number
  /** Debug enclaves and TDs, whose memory the host reads. */
  allowDebug: boolean
  /** TDs that the host may migrate. */
  allowMigratable: boolean
  /** TDs in which an unaccepted page raises #VE, by which the host steps the guest. */
  allowSeptVe: boolean
  /** MRSIGNERSEAM of approved signers of the TDX module. */
  seamSigners: readonly Hex[]
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
  allowDebug: false,
  allowMigratable: false,
  allowSeptVe: false,
  seamSigners: [`0x${'00'.repeat(48)}`],
  deniedPpids: [],
}

/** Measurements to compare with; those not named are not compared. */
export type DcapMeasurements = Partial<
  Pick<TdReport, 'mrTd' | 'mrConfigId' | 'mrOwner' | 'mrOwnerConfig' | 'mrSeam'> &
    Pick<EnclaveReport, 'mrEnclave' | 'mrSigner' | 'isvProdId' | 'configId'>
> & {
  /** By register; undefined where it is not compared, as RTMR3 where the event log decides. */
  rtmrs?: readonly (Hex | undefined)[] | undefined
  /** Least ISVSVN of an enclave. */
  minimumIsvSvn?: number | undefined
}

export type DcapExpectations = {
  /** `tdxMeasurement(…)` or `sgxMeasurement(…)`, as governance approves it. */
  measurement?: Hex | undefined
  measurements?: DcapMeasurements | undefined
  /** Log to replay, `readEventLog(…)`. */
  eventLog?: readonly TdEvent[] | undefined
  /** Name → payload that the log must prove; the first event of a name counts, since later ones are the guest's own. */
  events?: Readonly<Record<string, Hex>> | undefined
  /** 64 bytes, or fewer, which zeros then follow: `enclaveBinding(…)` ties the quote to an operator and a key. */
  reportData?: Hex | undefined
}

// TDATTRIBUTES, by bit of the 64-bit number (TDX module base specification, "TD attributes").
const TUD = 0xffn // "TD under debug": any of these opens the TD to the host
const SEPT_VE_DISABLE = 1n << 28n
const MIGRATABLE = 1n << 29n
const HARMLESS = (1n << 27n) | SEPT_VE_DISABLE | (1n << 30n) | (1n << 31n) | (1n << 63n) // LASS, PKS, KL, PERFMON

const littleEndian = (hex: Hex) =>
  hexToBytes(hex).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
const listed = (list: readonly string[], value: string) => list.some((entry) => same(entry, value))

function debugProblem(report: TdReport | EnclaveReport, policy: DcapPolicy): Problem<DcapCode> | undefined {
  const open = report.kind === 'tdx' ? (littleEndian(report.tdAttributes) & TUD) !== 0n : isDebug(report)
  return open && !policy.allowDebug
    ? { code: 'debug', reason: 'it runs in debug mode: its memory is open to the host' }
    : undefined
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

/** What governance approves: one hash over all that says which code runs and how the host configured it. */
export function measurementOf(report: TdReport | EnclaveReport): Hex {
  return report.kind === 'tdx'
    ? tdxMeasurement(report.mrTd, report.mrConfigId, report.rtmrs)
    : sgxMeasurement(report.mrEnclave, report.configId)
}

function measurementProblem(
  report: TdReport | EnclaveReport,
  expected: DcapMeasurements,
): Problem<DcapCode> | undefined {
  const { rtmrs, minimumIsvSvn, ...equal } = expected
  const found: Readonly<Record<string, unknown>> = { ...report }
  const differs = (name: string, is: unknown, wanted: unknown): Problem<DcapCode> => ({
    code: 'measurement_differs',
    reason: `${name} is ${is ?? 'absent in a quote of this kind'}, expected ${wanted}`,
  })
  for (const [name, wanted] of Object.entries(equal)) {
    if (wanted !== undefined && !same(String(found[name]), String(wanted))) {
      return differs(name, found[name], wanted)
    }
  }
  for (const [index, wanted] of (rtmrs ?? []).entries()) {
    const register = report.kind === 'tdx' ? report.rtmrs[index] : undefined
    if (wanted !== undefined && !same(register ?? '', wanted))
      return differs(`RTMR${index}`, register, wanted)
  }
  if (minimumIsvSvn === undefined) return undefined
  const isvSvn = report.kind === 'sgx' ? report.isvSvn : undefined
  return isvSvn === undefined || isvSvn < minimumIsvSvn
    ? differs('ISVSVN', isvSvn, `at least ${minimumIsvSvn}`)
    : undefined
}

function logProblem(
  report: TdReport | EnclaveReport,
  log: readonly TdEvent[],
): Problem<DcapCode> | undefined {
  if (report.kind === 'sgx')
    return { code: 'event_log_differs', reason: 'an enclave of SGX has no event log' }
  const at = replayRtmrs(log).findIndex((register, index) => register !== report.rtmrs[index])
  return at === -1 ? undefined : { code: 'event_log_differs', reason: `the log does not replay to RTMR${at}` }
}

function eventsProblem(
  log: readonly TdEvent[],
  events: Readonly<Record<string, Hex>>,
): Problem<DcapCode> | undefined {
  for (const [name, wanted] of Object.entries(events)) {
    const payload = log.find(({ register, claim }) => register === 3 && claim?.name === name)?.claim?.payload
    if (payload === undefined || !same(payload, wanted)) {
      return { code: 'event_differs', reason: `event ${name} is ${payload ?? 'absent'}, expected ${wanted}` }
    }
  }
  return undefined
}

function reportDataProblem(found: Hex, wanted: Hex): Problem<DcapCode> | undefined {
  const padded = wanted.padEnd(2 + 128, '0')
  return same(found, padded)
    ? undefined
    : { code: 'report_data_differs', reason: `REPORTDATA is ${found}, expected ${padded}` }
}

/** Asks whether what was established is wanted; every answer is collected. */
export function judge({ list, found }: Verification, policy: DcapPolicy): void {
  const { deniedAdvisories, minimumEvaluationNumber, deniedPpids } = policy
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
  list.policy('notDebug', () => debugProblem(found.quote.report, policy))
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
  if (deniedPpids.length === 0) list.skip('platformAllowed', 'policy', 'no processor is denied')
  else {
    list.policy('platformAllowed', () => {
      const { ppid } = found.platform
      return listed(deniedPpids, ppid)
        ? { code: 'platform_denied', reason: `the processor of PPID ${ppid} is denied` }
        : undefined
    })
  }
}

/** Compares with what the caller expects; what it did not say is skipped. */
export function compare({ list, found }: Verification, expected: DcapExpectations): void {
  const { measurement, measurements, eventLog, events, reportData } = expected
  if (measurement === undefined)
    list.skip('measurement', 'policy', 'no measurement was given to compare with')
  else {
    list.policy('measurement', () => {
      const is = measurementOf(found.quote.report)
      const reason = `the measurement is ${is}, expected ${measurement}`
      return same(is, measurement) ? undefined : { code: 'measurement_differs', reason }
    })
  }
  if (measurements === undefined)
    list.skip('measurements', 'policy', 'no single measurement was given to compare with')
  else list.policy('measurements', () => measurementProblem(found.quote.report, measurements))
  if (eventLog === undefined) list.skip('eventLog', 'policy', 'no event log was given')
  else list.policy('eventLog', () => logProblem(found.quote.report, eventLog))
  if (events === undefined) list.skip('events', 'policy', 'no event was asked for')
  else {
    list.policy('events', () => {
      if (eventLog === undefined)
        return { code: 'event_differs', reason: 'no event log was given to look in' }
      return logProblem(found.quote.report, eventLog) ?? eventsProblem(eventLog, events)
    })
  }
  if (reportData === undefined) list.skip('reportData', 'policy', 'no binding was given to compare with')
  else list.policy('reportData', () => reportDataProblem(found.quote.report.reportData, reportData))
}
