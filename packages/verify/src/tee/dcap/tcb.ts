import { isMasked } from './masked.ts'
import type { PckPlatform } from './pckExtension.ts'
import type { QeIdentity } from './qeIdentity.ts'
import type { TdReport } from './reports.ts'
import type { TcbInfo, TcbLevel, TdxModule, TdxModuleIdentity } from './tcbInfo.ts'
import type { TcbVerdict } from './tcbStatus.ts'

const covers = (svns: readonly number[] | Uint8Array, wanted: readonly number[], from = 0) =>
  wanted.every((svn, index) => index < from || (svns[index] as number) >= svn)

/**
 * The first level that the platform reaches in every component (PCS API v4 "Get TCB Info", steps 3a to 3c), or undefined
 * where it reaches none. From module version 1 on, the module's own SVNs (TEE_TCB_SVN 0 and 1) are judged by its identity.
 */
export function platformLevel(
  info: TcbInfo,
  platform: PckPlatform,
  td: TdReport | undefined,
): TcbLevel | undefined {
  return info.levels.find(
    (level) =>
      covers(platform.componentSvns, level.sgxSvns) &&
      platform.pceSvn >= level.pceSvn &&
      (td === undefined ||
        (level.tdxSvns !== undefined && covers(td.teeTcbSvn, level.tdxSvns, moduleVersion(td) > 0 ? 2 : 0))),
  )
}

const moduleVersion = (td: TdReport) => td.teeTcbSvn[1] as number

const UNVERSIONED: TcbVerdict = { status: 'UpToDate', advisoryIds: [] }

/** What the TCB info says of the TDX module that measured this TD; a text where it is none of Intel's, or unknown. */
export function moduleVerdict(info: TcbInfo, td: TdReport): TcbVerdict | string {
  const version = moduleVersion(td)
  const identity: TdxModuleIdentity | undefined = info.moduleIdentities.find(
    (candidate) => candidate.version === version,
  )
  // Version 0 has no SVN of its own outside the platform's level, so it adds nothing to judge.
  const module: TdxModule | undefined = version === 0 ? info.module : identity
  if (module === undefined) return `TDX module version ${version} is not in the TCB info`
  if (td.mrSignerSeam !== module.mrSigner) return `MRSIGNERSEAM is ${td.mrSignerSeam}`
  if (!isMasked(td.seamAttributes, module.attributesMask, module.attributes)) {
    return `SEAMATTRIBUTES are ${td.seamAttributes}`
  }
  if (version === 0 || identity === undefined) return UNVERSIONED
  const svn = td.teeTcbSvn[0] as number
  return (
    identity.levels.find((level) => svn >= level.isvSvn)?.verdict ??
    `TDX module ${version}.${svn} is below every known level`
  )
}

/** What the identity says of a quoting enclave of this SVN, or undefined where it is below every level. */
export function qeVerdict(identity: QeIdentity, isvSvn: number): TcbVerdict | undefined {
  return identity.levels.find((level) => isvSvn >= level.isvSvn)?.verdict
}
