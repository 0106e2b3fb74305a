import { leafOf } from './chains.ts'
import { readPckPlatform } from './pckExtension.ts'
import { moduleVerdict, platformLevel, qeVerdict } from './tcb.ts'
import { converge } from './tcbStatus.ts'
import { problemOf, type Verification } from './verification.ts'

/** What Intel's collateral says of this platform, its TDX module and its quoting enclave. */
export function checkTcb({ list, found }: Verification): void {
  list.check('platform', () => {
    found.platform = readPckPlatform(leafOf(found.pckChain))
    const { platform, tcbInfo, quote } = found
    if (tcbInfo.teeType !== quote.teeType) {
      const reason = `the TCB info is for ${tcbInfo.teeType}, the quote for ${quote.teeType}`
      return { code: 'collateral_of_other_tee', reason }
    }
    const same = tcbInfo.fmspc === platform.fmspc && tcbInfo.pceId === platform.pceId
    const reason =
      `the TCB info is for FMSPC ${tcbInfo.fmspc} and PCE ${tcbInfo.pceId}, ` +
      `the platform is of ${platform.fmspc} and ${platform.pceId}`
    return problemOf('collateral_of_other_platform', same ? undefined : reason)
  })
  // The quote is undefined here where not even its shape held.
  if (found.quote?.teeType === 'sgx') {
    list.skip('tdxModule', 'validity', 'an enclave of SGX runs under no TDX module')
  } else {
    list.check('tdxModule', () => {
      const { report } = found.quote
      const verdict = report.kind === 'tdx' ? moduleVerdict(found.tcbInfo, report) : undefined
      if (typeof verdict === 'string') return { code: 'tdx_module_unknown', reason: verdict }
      found.module = verdict
      return undefined
    })
  }
  list.check('tcbStatus', () => {
    const { report, qeReport } = found.quote
    const level = platformLevel(found.tcbInfo, found.platform, report.kind === 'tdx' ? report : undefined)
    const qe = qeVerdict(found.qeIdentity, qeReport.isvSvn)
    if (level === undefined || qe === undefined) {
      const part = level === undefined ? 'platform' : 'quoting enclave'
      return { code: 'tcb_unrecognised', reason: `the ${part} is below every level that Intel lists` }
    }
    found.level = level
    const platform = found.module === undefined ? level.verdict : converge(level.verdict, found.module)
    found.verdict = converge(platform, qe)
    const revoked = found.verdict.status === 'Revoked'
    return problemOf('tcb_revoked', revoked ? 'Intel has revoked this level of the platform' : undefined)
  })
}
