import { asArray, asText, CollateralError, type JsonObject } from './json.ts'

/**
 * How a platform stands against Intel's advisories, best first. `SWHardeningNeeded`: safe where the software in the
 * enclave has the mitigations; `ConfigurationNeeded`: a setting of the platform leaves a hole; `OutOfDate`: known holes.
 */
export const TCB_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const
export type TcbStatus = (typeof TCB_STATUSES)[number]

/** A status and the Intel security advisories behind it, such as `INTEL-SA-00289`. */
export type TcbVerdict = { status: TcbStatus; advisoryIds: readonly string[] }

const MAX_ADVISORIES = 256

/** The verdict in a TCB level of Intel's JSON. @throws CollateralError */
export function readVerdict(level: JsonObject): TcbVerdict {
  const status = TCB_STATUSES.find((known) => known === level.tcbStatus)
  if (status === undefined) throw new CollateralError('a TCB level has a status that nobody knows')
  const ids = level.advisoryIDs === undefined ? [] : asArray(level.advisoryIDs, MAX_ADVISORIES, 'advisoryIDs')
  return { status, advisoryIds: ids.map((id) => asText(id, 64, 'advisory')) }
}

const is = (status: TcbStatus, word: string) => status.includes(word)

/**
 * The platform's verdict with that of another part (quoting enclave, TDX module) under it: as Intel's library converges
 * them, what is wrong with either is wrong with both.
 */
export function converge(platform: TcbVerdict, part: TcbVerdict): TcbVerdict {
  const both = [platform.status, part.status]
  const advisoryIds = [...new Set([...platform.advisoryIds, ...part.advisoryIds])]
  const any = (word: string) => both.some((status) => is(status, word))
  const configuration = any('Configuration')
  const status: TcbStatus = any('Revoked')
    ? 'Revoked'
    : any('OutOfDate')
      ? configuration
        ? 'OutOfDateConfigurationNeeded'
        : 'OutOfDate'
      : configuration
        ? any('SWHardening')
          ? 'ConfigurationAndSWHardeningNeeded'
          : 'ConfigurationNeeded'
        : any('SWHardening')
          ? 'SWHardeningNeeded'
          : 'UpToDate'
  return { status, advisoryIds }
}

/** Whether `status` is at least as good as `minimum`. */
export function atLeast(status: TcbStatus, minimum: TcbStatus): boolean {
  return TCB_STATUSES.indexOf(status) <= TCB_STATUSES.indexOf(minimum)
}
