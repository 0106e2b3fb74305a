/** Check 6 of a quote: how far behind its platform is, and whether that is accepted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Hex } from 'viem'
import type { VerifyDcapParameters } from '../../src/index.ts'
import { allOf, changed, failures, level, report } from './dcapReports.ts'
import { type DcapChanges, qeIdentityJson, simulateDcap, tcbInfoJson } from './simulatedDcap.ts'

test('6: collateral of another platform or of another kind of TEE', () => {
  const foreign = ['platform: collateral_of_other_platform']
  assert.deepEqual(changed({ fmspc: '00906ed60000' }), foreign)
  assert.deepEqual(changed({ tcbInfo: { pceId: '0001' } }), foreign)
  assert.deepEqual(changed({ tcbInfo: tcbInfoJson('sgx') }), ['platform: collateral_of_other_tee'])
  assert.deepEqual(changed({ qeIdentity: qeIdentityJson('sgx') }), [
    'quotingEnclave: collateral_of_other_tee',
  ])
  assert.deepEqual(changed({ kind: 'sgx', tcbInfo: tcbInfoJson('tdx') }), [
    'platform: collateral_of_other_tee',
  ])
  assert.deepEqual(changed({ kind: 'sgx', qeIdentity: qeIdentityJson('tdx') }), [
    'quotingEnclave: collateral_of_other_tee',
  ])
})

test('6: the status of platform, TDX module and quoting enclave together', () => {
  const policy = { minimumStatus: 'OutOfDateConfigurationNeeded' } as const
  const status = (changes: DcapChanges) => {
    const made = simulateDcap(changes)
    const { attestation } = report(made, { parameters: { policy } })
    return attestation && [attestation.status, ...attestation.advisoryIds]
  }
  const platform = (svn: number) => ({ componentSvns: allOf(svn) })
  const oldQe = { qeReport: { 258: [6] } }
  const oldModule = { teeTcbSvn: [3, 1, 3] }
  assert.deepEqual(status({}), ['UpToDate'])
  assert.deepEqual(status(platform(4)), ['SWHardeningNeeded', 'INTEL-SA-00615'])
  assert.deepEqual(status(platform(3)), ['ConfigurationNeeded', 'INTEL-SA-00289'])
  assert.deepEqual(status(platform(2)), ['OutOfDate', 'INTEL-SA-00828'])
  assert.deepEqual(status(oldQe), ['OutOfDate', 'INTEL-SA-00477'])
  assert.deepEqual(status({ ...platform(4), ...oldQe }), ['OutOfDate', 'INTEL-SA-00615', 'INTEL-SA-00477'])
  assert.deepEqual(status({ ...platform(3), ...oldModule }), [
    'OutOfDateConfigurationNeeded',
    'INTEL-SA-00289',
    'INTEL-SA-01036',
  ])
  assert.deepEqual(status({ componentSvns: [4, ...allOf(5).slice(1)] }), [
    'SWHardeningNeeded',
    'INTEL-SA-00615',
  ])
  const parameters = { policy }
  assert.deepEqual(failures(simulateDcap(platform(1)), { parameters }), ['tcbStatus: tcb_revoked'])
  assert.deepEqual(failures(simulateDcap(platform(0)), { parameters }), ['tcbStatus: tcb_unrecognised'])
  assert.deepEqual(changed({ pceSvn: 10 }), ['tcbStatus: tcb_unrecognised'])
})

test('6: the TDX module is one of Intel’s, in every version of its numbering', () => {
  const unknown = ['tdxModule: tdx_module_unknown']
  assert.deepEqual(changed({ quote: { 64: [1] } }), unknown)
  assert.deepEqual(changed({ teeTcbSvn: [5, 0, 3], quote: { 64: [1] } }), unknown)
  assert.deepEqual(changed({ quote: { 112: [1] } }), unknown)
  assert.deepEqual(changed({ teeTcbSvn: [5, 2, 3] }), unknown)
  assert.deepEqual(changed({ teeTcbSvn: [1, 1, 3] }), unknown)
  // Module SVNs count in the platform's level for version 0 only; the others always.
  assert.deepEqual(changed({ teeTcbSvn: [5, 0, 3], tcbInfo: { tcbLevels: [level(5, 4)] } }), [
    'tcbStatus: tcb_unrecognised',
  ])
  assert.deepEqual(
    changed({ teeTcbSvn: [5, 1, ...allOf(4).slice(2)], tcbInfo: { tcbLevels: [level(5, 4)] } }),
    [],
  )
  assert.deepEqual(
    changed({ teeTcbSvn: [5, 1, ...allOf(3).slice(2)], tcbInfo: { tcbLevels: [level(5, 4)] } }),
    ['tcbStatus: tcb_unrecognised'],
  )
})

test('6: TCB info of version 2, which names components one by one, serves SGX only', () => {
  const named = Object.fromEntries(
    allOf(5).map((svn, at) => [`sgxtcbcomp${String(at + 1).padStart(2, '0')}svn`, svn]),
  )
  const tcbInfo = { id: undefined, version: 2, tcbLevels: [{ ...level(0), tcb: { ...named, pcesvn: 11 } }] }
  assert.deepEqual(changed({ kind: 'sgx', tcbInfo }), [])
  assert.deepEqual(changed({ kind: 'sgx', tcbInfo, componentSvns: allOf(4) }), [
    'tcbStatus: tcb_unrecognised',
  ])
  assert.deepEqual(changed({ kind: 'tdx', tcbInfo }), ['platform: collateral_of_other_tee'])
})

test('6: policy: status, advisories, processors; each alone, all reported', () => {
  const hardening = simulateDcap({ componentSvns: allOf(4) })
  const under = (policy: VerifyDcapParameters['policy']) => failures(hardening, { parameters: { policy } })
  assert.deepEqual(under({}), [])
  assert.deepEqual(under({ minimumStatus: 'UpToDate' }), ['statusAccepted: status_below_minimum'])
  assert.deepEqual(under({ deniedAdvisories: ['INTEL-SA-00615'] }), ['advisoriesAccepted: advisory_denied'])
  assert.deepEqual(under({ deniedAdvisories: ['INTEL-SA-00001'] }), [])
  const ppid: Hex = `0x${'77'.repeat(16)}`
  assert.deepEqual(under({ deniedPpids: [ppid], minimumStatus: 'UpToDate' }), [
    'statusAccepted: status_below_minimum',
    'platformAllowed: platform_denied',
  ])
  assert.deepEqual(changed({ componentSvns: allOf(2) }), ['statusAccepted: status_below_minimum'])
})
