import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HARDWARE_SGX, HARDWARE_TDX } from '@assay/protocol'
import { keccak256 } from 'viem'
import {
  type DcapReport,
  INTEL_ROOT_HASH,
  readEventLog,
  type VerifyDcapParameters,
  verifyDcap,
} from '../../src/index.ts'
import { replayRtmrs } from '../../src/tee/dcap/eventLog.ts'
import { readQuote } from '../../src/tee/dcap/quote.ts'
import {
  dstack,
  intelRoots,
  quoteWithoutCollateral,
  type Recorded,
  recorded,
  rootCertificate,
  seconds,
} from './dcapFixtures.ts'
import { missingFixtures } from './fixtures.ts'

const skip = missingFixtures('tdx')

/** `step: code` of everything that failed. */
function failures(report: DcapReport): string[] {
  assert.equal(report.ok, report.attestation !== undefined)
  return report.steps.filter((step) => step.outcome === 'failed').map((step) => `${step.name}: ${step.code}`)
}

function verify(
  { quote, collateral, now }: Recorded,
  overrides: Partial<VerifyDcapParameters> = {},
): DcapReport {
  return verifyDcap(quote, collateral, { roots: intelRoots, now, ...overrides })
}

test("the root's hash is that of the certificate Intel publishes", { skip }, () => {
  assert.equal(keccak256(rootCertificate()), INTEL_ROOT_HASH)
})

test('an SGX quote (v3) of a platform that needs configuration', { skip }, () => {
  const report = verify(recorded('sgx_quote'))
  assert.deepEqual(failures(report), [])
  assert.equal(report.attestation?.hardwareType, HARDWARE_SGX)
  assert.equal(report.attestation?.status, 'ConfigurationAndSWHardeningNeeded')
  assert.deepEqual(report.attestation?.advisoryIds, ['INTEL-SA-00289', 'INTEL-SA-00615'])
  assert.equal(report.attestation?.fmspc, '0x00a067110000')
  const strict = verify(recorded('sgx_quote'), {
    policy: { minimumStatus: 'SWHardeningNeeded', deniedAdvisories: ['INTEL-SA-00289'] },
  })
  assert.equal(strict.verdict, 'valid_but_refused')
  assert.deepEqual(failures(strict), [
    'statusAccepted: status_below_minimum',
    'advisoriesAccepted: advisory_denied',
  ])
})

test('a TDX quote (v4, padded as Intel pads it) of a platform up to date', { skip }, () => {
  const { quote, collateral, now } = recorded('tdx_quote')
  const report = verify({ quote, collateral, now })
  assert.deepEqual(failures(report), [])
  assert.equal(report.attestation?.hardwareType, HARDWARE_TDX)
  assert.equal(report.attestation?.status, 'UpToDate')
  assert.deepEqual(report.attestation?.advisoryIds, [])
  const exact = verify({ quote: quote.subarray(0, -70), collateral, now })
  assert.equal(exact.attestation?.payloadHash, report.attestation?.payloadHash)
})

test('a TDX quote (v5) of a platform below every level that Intel still lists', { skip }, () => {
  assert.deepEqual(failures(verify(recorded('tdx_quote_outdated'))), ['tcbStatus: tcb_unrecognised'])
})

test('today the same evidence fails because its collateral has run out', { skip }, () => {
  const now = seconds('2026-11-21')
  for (const name of ['sgx_quote', 'tdx_quote', 'tdx_quote_outdated'] as const) {
    assert.deepEqual(failures(verify(recorded(name), { now })), ['rootCrl: crl_not_valid_then'])
  }
  const early = verify(recorded('tdx_quote'), { now: seconds('2025-01-01') })
  assert.deepEqual(failures(early), ['pckChain: certificate_not_valid_then'])
})

test('collateral serves every platform of its kind, and no other', { skip }, () => {
  const { collateral, now } = recorded('tdx_quote')
  const quote = quoteWithoutCollateral()
  assert.deepEqual(failures(verify({ quote, collateral, now })), ['platform: collateral_of_other_platform'])
  // dstack's machines are of the FMSPC for which the outdated quote brought collateral.
  const other = recorded('tdx_quote_outdated')
  const { quote: sibling, eventLog, reportData } = dstack('dstack-quote-report')
  const report = verify(
    { ...other, quote: sibling },
    {
      expected: {
        eventLog: readEventLog(eventLog),
        events: { 'app-id': '0x3763bc34552cf3a27ff71ad5f7a90471562a1a2d' },
        // Zeros may be left out behind what was bound.
        reportData: reportData.replace(/(00)+$/, '') as `0x${string}`,
      },
    },
  )
  assert.deepEqual(failures(report), [])
  assert.equal(report.attestation?.status, 'UpToDate')
  // Issued in April 2026, after that collateral had run out.
  const younger = { ...other, quote: dstack('dstack-tdx-lite-getquote').quote }
  assert.deepEqual(failures(verify(younger)), ['pckChain: certificate_not_valid_then'])
})

test("dstack's event logs replay to the registers of its quotes", { skip }, () => {
  for (const name of ['dstack-quote-report', 'dstack-tdx-lite-getquote'] as const) {
    const { quote, eventLog, reportData } = dstack(name)
    const { report } = readQuote(quote)
    assert.ok(report.kind === 'tdx')
    assert.deepEqual(replayRtmrs(readEventLog(eventLog)), report.rtmrs)
    assert.equal(report.reportData, reportData)
  }
})

test('every negative case, on what Intel really signed', { skip }, () => {
  const td = recorded('tdx_quote')
  const sgx = recorded('sgx_quote')
  const at = (index: number) => td.quote.map((byte, position) => (position === index ? byte ^ 1 : byte))
  const body = 48
  const signature = body + 584 + 4
  const quotes: [string, Uint8Array, string][] = [
    ['trailing byte', Uint8Array.from([...td.quote, 0]), 'quoteShape: unreadable'],
    ['padding that is not zero', at(td.quote.length - 1), 'quoteShape: unreadable'],
    ['truncated', td.quote.subarray(0, 3_000), 'quoteShape: unreadable'],
    ['vendor', at(12), 'quoteShape: unreadable'],
    ['MRTD', at(body + 136), 'quoteSignature: quote_forged'],
    ['RTMR3', at(body + 472), 'quoteSignature: quote_forged'],
    ['REPORTDATA', at(body + 520), 'quoteSignature: quote_forged'],
    ['attestation key', at(signature + 64), 'attestationKey: attestation_key_unbound'],
    ['QE report', at(signature + 134 + 64), 'qeReport: qe_report_forged'],
  ]
  for (const [what, quote, expected] of quotes) {
    assert.deepEqual(failures(verify({ ...td, quote })), [expected], what)
  }
  const { collateral } = td
  const garbage = Uint8Array.of(0x30, 0)
  const edits: [string, Partial<Recorded['collateral']>, string][] = [
    ['root CRL garbage', { rootCaCrl: garbage }, 'rootCrl: unreadable'],
    ['PCK CRL garbage', { pckCrl: garbage }, 'pckCrl: unreadable'],
    [
      'CRLs swapped',
      { rootCaCrl: collateral.pckCrl, pckCrl: collateral.rootCaCrl },
      'rootCrl: crl_issuer_differs',
    ],
    ['PCK CRL of the other CA', { pckCrl: sgx.collateral.pckCrl }, 'pckCrl: crl_issuer_differs'],
    [
      'PCK CRL forged',
      { pckCrl: collateral.pckCrl.map((byte, i, all) => (i === all.length - 1 ? byte ^ 1 : byte)) },
      'pckCrl: crl_forged',
    ],
    [
      'TCB info edited',
      { tcbInfo: collateral.tcbInfo.replace('OutOfDate', 'UpToDate') },
      'tcbInfo: tcb_info_forged',
    ],
    [
      'QE identity for SGX',
      { qeIdentity: sgx.collateral.qeIdentity, qeIdentitySignature: sgx.collateral.qeIdentitySignature },
      'quotingEnclave: collateral_of_other_tee',
    ],
    [
      'TCB info for SGX',
      { tcbInfo: sgx.collateral.tcbInfo, tcbInfoSignature: sgx.collateral.tcbInfoSignature },
      'platform: collateral_of_other_tee',
    ],
    [
      'PCK CA as TCB signer',
      { tcbInfoIssuerChain: collateral.pckCrlIssuerChain },
      'tcbInfoChain: chain_invalid',
    ],
  ]
  for (const [what, edit, expected] of edits) {
    assert.deepEqual(failures(verify({ ...td, collateral: { ...collateral, ...edit } })), [expected], what)
  }
  assert.deepEqual(failures(verify({ ...td, collateral: sgx.collateral })), ['pckCrl: crl_issuer_differs'])
  const rollback = verify(td, { policy: { minimumEvaluationNumber: 18 } })
  assert.deepEqual(failures(rollback), ['collateralRecent: evaluation_number_below_minimum'])
  const times: [Recorded, string, string][] = [
    [td, '2025-06-19T10:00:00Z', 'pckCrl: crl_not_valid_then'],
    [td, '2025-06-19T10:10:00Z', 'tcbInfo: tcb_info_not_valid_then'],
    [td, '2025-06-19T10:20:00Z', 'qeIdentity: qe_identity_not_valid_then'],
    [td, '2025-07-19T10:10:00Z', 'pckCrl: crl_not_valid_then'],
    [sgx, '2025-07-19T10:10:00Z', 'qeIdentity: qe_identity_not_valid_then'],
  ]
  for (const [evidence, time, expected] of times) {
    assert.deepEqual(failures(verify(evidence, { now: seconds(time) })), [expected], time)
  }
})
