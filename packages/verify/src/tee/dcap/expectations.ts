import { sgxMeasurement, tdxMeasurement } from '@assay/protocol'
import type { Hex } from 'viem'
import { same } from '../../step.ts'
import type { Problem } from '../checklist.ts'
import { replayRtmrs, type TdEvent } from './eventLog.ts'
import type { EnclaveReport, TdReport } from './reports.ts'
import type { DcapCode } from './steps.ts'
import type { Verification } from './verification.ts'

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

/** Characters of a hostile payload that a reason shows. */
const MAX_SHOWN = 140

function eventsProblem(
  log: readonly TdEvent[],
  events: Readonly<Record<string, Hex>>,
): Problem<DcapCode> | undefined {
  for (const [name, wanted] of Object.entries(events)) {
    const payload = log.find(({ register, claim }) => register === 3 && claim?.name === name)?.claim?.payload
    if (payload === undefined || !same(payload, wanted)) {
      const is = payload === undefined ? 'absent' : payload.slice(0, MAX_SHOWN)
      return { code: 'event_differs', reason: `event ${name} is ${is}, expected ${wanted}` }
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
