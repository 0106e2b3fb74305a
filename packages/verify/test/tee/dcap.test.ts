import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HARDWARE_SGX, HARDWARE_TDX, sgxMeasurement, tdxMeasurement } from '@assay/protocol'
import { p256 } from '@noble/curves/nist.js'
import { bytesToHex, type Hex, keccak256 } from 'viem'
import {
  DCAP_STEPS,
  type DcapCollateral,
  type DcapReport,
  readEventLog,
  type VerifyDcapParameters,
  verifyDcap,
} from '../../src/index.ts'
import { replayRtmrs } from '../../src/tee/dcap/eventLog.ts'
import { SIGNS_DATA, writeCertificate } from './certificateWriter.ts'
import { der, extension } from './derWriter.ts'
import { mutate, randomFrom } from './mutate.ts'
import {
  DCAP_AT,
  type DcapChanges,
  dcapKeys,
  join,
  qeIdentityJson,
  type SimulatedDcap,
  simulateDcap,
  tcbInfoJson,
  toPem,
} from './simulatedDcap.ts'

const DAY = 86_400
const good = simulateDcap()
const enclave = simulateDcap({ kind: 'sgx' })

type Overrides = {
  quote?: Uint8Array
  collateral?: Partial<DcapCollateral>
  parameters?: Partial<VerifyDcapParameters>
}

function report(made: SimulatedDcap, { quote, collateral, parameters }: Overrides = {}): DcapReport {
  const found = verifyDcap(
    quote ?? made.quote,
    { ...made.collateral, ...collateral },
    { ...made.parameters, ...parameters },
  )
  assert.deepEqual(
    found.steps.map(({ name }) => name),
    DCAP_STEPS,
  )
  assert.equal(found.ok, found.attestation !== undefined)
  return found
}

/** `step: code` of everything that failed. */
const failuresOf = (found: DcapReport) =>
  found.steps.filter((step) => step.outcome === 'failed').map((step) => `${step.name}: ${step.code}`)
const failures = (made: SimulatedDcap, overrides?: Overrides) => failuresOf(report(made, overrides))
const changed = (changes: DcapChanges, overrides?: Overrides) => failures(simulateDcap(changes), overrides)

const flipped = (bytes: Uint8Array, at: number, mask = 1) =>
  bytes.map((byte, index) => (index === at ? byte ^ mask : byte))
const allOf = (svn: number) => new Array<number>(16).fill(svn)

test('sound evidence of every version passes every check that was asked for', () => {
  for (const changes of [
    { kind: 'sgx', version: 3 },
    { kind: 'sgx', version: 4 },
    { kind: 'sgx', version: 5, platformInstance: false },
    { kind: 'tdx', version: 4 },
    { kind: 'tdx', version: 5 },
    { kind: 'tdx', version: 5, td10: true },
    { kind: 'tdx', version: 4, platformInstance: false },
    { kind: 'tdx', version: 4, teeTcbSvn: [5, 0, 3] },
  ] as const) {
    const found = report(simulateDcap(changes))
    assert.deepEqual(failuresOf(found), [], JSON.stringify(changes))
    assert.equal(found.verdict, 'accepted')
    assert.equal(found.attestation?.hardwareType, changes.kind === 'sgx' ? HARDWARE_SGX : HARDWARE_TDX)
    assert.equal(found.attestation?.quoteVersion, changes.version)
    assert.equal(found.attestation?.status, 'UpToDate')
    assert.equal(found.attestation?.validUntil, BigInt(DCAP_AT + 29 * DAY))
    assert.equal(found.attestation?.platformInstanceId === undefined, 'platformInstance' in changes)
  }
})

test('1: exact length: nothing missing, nothing behind, and padding only as Intel pads', () => {
  const shape = ['quoteShape: unreadable']
  assert.deepEqual(failures(good, { quote: new Uint8Array(0) }), shape)
  assert.deepEqual(failures(good, { quote: good.quote.subarray(0, -1) }), shape)
  assert.deepEqual(failures(good, { quote: join(good.quote, [0]) }), shape)
  assert.deepEqual(failures(good, { quote: join(good.quote, new Uint8Array(69)) }), shape)
  assert.deepEqual(failures(good, { quote: join(good.quote, new Uint8Array(70)) }), [])
  assert.deepEqual(failures(good, { quote: join(good.quote, new Uint8Array(71)) }), shape)
  assert.deepEqual(failures(good, { quote: join(good.quote, new Uint8Array(70).fill(1)) }), shape)
  assert.deepEqual(failures(good, { quote: join(good.quote, new Uint8Array(1 << 20)) }), shape)
  assert.deepEqual(failures(enclave, { quote: join(enclave.quote, new Uint8Array(70)) }), shape)
  const later = simulateDcap({ version: 5 })
  assert.deepEqual(failures(later, { quote: join(later.quote, new Uint8Array(70)) }), shape)
})

test("1: version, key type, TEE type, body type and Intel's vendor id", () => {
  const shape = ['quoteShape: unreadable']
  const headerOf = (at: number, ...bytes: number[]) => ({ [at - 48]: bytes })
  assert.deepEqual(changed({ quote: headerOf(0, 3) }), shape)
  assert.deepEqual(changed({ quote: headerOf(0, 6) }), shape)
  assert.deepEqual(changed({ quote: headerOf(2, 3) }), shape)
  assert.deepEqual(changed({ quote: headerOf(4, 0) }), shape)
  assert.deepEqual(changed({ quote: headerOf(4, 0x82) }), shape)
  assert.deepEqual(changed({ quote: headerOf(7, 1) }), shape)
  assert.deepEqual(changed({ kind: 'sgx', quote: headerOf(4, 0x81) }), shape)
  assert.deepEqual(changed({ quote: headerOf(12, 0) }), shape)
  for (const type of [0, 1, 2, 4]) {
    assert.deepEqual(changed({ version: 5, quote: { [-6]: [type] } }), shape)
  }
  assert.deepEqual(changed({ version: 5, td10: true, quote: { [-6]: [3] } }), shape)
  assert.deepEqual(changed({ version: 5, quote: { [-4]: [0x87] } }), shape)
})

test('2: a root that nobody approved, or not for this kind of TEE', () => {
  const unapproved = ['pckChain: root_not_approved']
  const [sgx, tdx] = good.parameters.roots as [
    (typeof good.parameters.roots)[number],
    (typeof good.parameters.roots)[number],
  ]
  assert.deepEqual(failures(good, { parameters: { roots: [] } }), unapproved)
  assert.deepEqual(failures(good, { parameters: { roots: [sgx] } }), unapproved)
  assert.deepEqual(failures(good, { parameters: { roots: [tdx] } }), [])
  assert.deepEqual(failures(enclave, { parameters: { roots: good.parameters.roots } }), unapproved)
  // The twin of the root's signature of itself makes other bytes, which nobody approved.
  const other = simulateDcap()
  const foreign = { tcbInfoIssuerChain: toPem(good.certificates.tcb, other.certificates.root) }
  assert.deepEqual(failures(good, { collateral: foreign }), ['tcbInfoChain: root_not_approved'])
  // Where both encodings of one root are approved, either serves: Intel has reissued its root under the same key.
  const both = [...good.parameters.roots, ...other.parameters.roots]
  assert.deepEqual(failures(good, { collateral: foreign, parameters: { roots: both } }), [])
  // Approved as well, but another key: collateral of one world for a quote of another.
  const stranger = writeCertificate({
    subject: 'Intel SGX Root CA',
    issuer: 'Intel SGX Root CA',
    subjectKey: dcapKeys.stranger,
    issuerKey: dcapKeys.stranger,
    from: DCAP_AT - DAY,
    to: DCAP_AT + DAY,
    ca: true,
    keyUsage: 6,
  })
  const roots = [...good.parameters.roots, { ...tdx, rootHash: keccak256(stranger) }]
  assert.deepEqual(
    failures(good, {
      collateral: { tcbInfoIssuerChain: toPem(good.certificates.tcb, stranger) },
      parameters: { roots },
    }),
    ['tcbInfoChain: root_not_approved'],
  )
})

test('2: roles: a PCK certificate signs no collateral, a TCB signing certificate no quote', () => {
  const { pck, ca, root, tcb } = good.certificates
  const asCollateral = (pem: string, key = dcapKeys.pck) =>
    changed(
      { tcbInfoKey: key },
      {
        quote: good.quote,
        collateral: { ...good.collateral, tcbInfoIssuerChain: pem },
        parameters: good.parameters,
      },
    )
  assert.deepEqual(asCollateral(toPem(pck, ca, root)), ['tcbInfoChain: chain_invalid'])
  assert.deepEqual(asCollateral(toPem(ca, root), dcapKeys.ca), ['tcbInfoChain: chain_invalid'])
  assert.deepEqual(asCollateral(toPem(root), dcapKeys.root), ['tcbInfoChain: chain_invalid'])
  assert.deepEqual(asCollateral(toPem(tcb), dcapKeys.tcb), ['tcbInfoChain: root_not_approved'])
  assert.deepEqual(asCollateral(toPem(tcb, ca, root), dcapKeys.tcb), ['tcbInfoChain: chain_invalid'])
  assert.deepEqual(asCollateral(''), ['tcbInfoChain: unreadable'])
  assert.deepEqual(asCollateral('garbage'), ['tcbInfoChain: unreadable'])
  const named = (subject: string) => ({ certificates: { pck: { subject } } })
  assert.deepEqual(changed(named('Intel SGX TCB Signing')), ['pckChain: chain_invalid'])
  assert.deepEqual(changed(named('Intel SGX PCK Platform CA')), ['pckChain: chain_invalid'])
  assert.deepEqual(changed({ certificates: { tcb: { subject: 'Intel SGX PCK Certificate' } } }), [
    'tcbInfoChain: chain_invalid',
  ])
  assert.deepEqual(
    changed({ certificates: { ca: { subject: 'Another CA' }, pck: { issuer: 'Another CA' } } }),
    ['pckChain: chain_invalid'],
  )
  const identity = { collateral: { qeIdentityIssuerChain: toPem(pck, ca, root) } }
  assert.deepEqual(failures(good, identity), ['qeIdentityChain: chain_invalid'])
})

test('2: a quote that names its platform only is verified by the chain in its collateral', () => {
  for (const certification of [1, 2, 3]) {
    const made = simulateDcap({ certification })
    assert.deepEqual(failures(made), [])
    assert.deepEqual(failures(made, { collateral: { pckChain: undefined } }), ['pckChain: unreadable'])
    const { tcb, root } = made.certificates
    const other = { pckChain: toPem(tcb, root) }
    assert.deepEqual(failures(made, { collateral: other }), ['pckChain: chain_invalid'])
  }
  for (const certification of [0, 4, 6, 7]) {
    assert.deepEqual(changed({ certification }), ['quoteShape: unreadable'])
  }
  // Where the quote carries its chain, no other is looked at.
  assert.deepEqual(failures(good, { collateral: { pckChain: 'garbage' } }), [])
})

test('2: links, CA flags, path length, usages, critical extensions', () => {
  const wrong: [string, NonNullable<DcapChanges['certificates']>][] = [
    ['forged CA', { ca: { issuerKey: dcapKeys.stranger } }],
    ['forged leaf', { pck: { issuerKey: dcapKeys.stranger } }],
    ['leaf of another issuer', { pck: { issuer: 'Intel SGX PCK Processor CA' } }],
    ['CA is none', { ca: { ca: false } }],
    ['CA may not sign', { ca: { keyUsage: SIGNS_DATA } }],
    ['root allows no CA below', { root: { pathLength: 0 } }],
    ['leaf is a CA', { pck: { ca: true } }],
    ['leaf may sign certificates', { pck: { keyUsage: 0x84 } }],
    ['leaf may not sign data', { pck: { keyUsage: 0x08 } }],
  ]
  for (const [what, certificates] of wrong) {
    assert.deepEqual(changed({ certificates }), ['pckChain: chain_invalid'], what)
  }
  const critical = extension('1.2.3.4', der(5), true)
  assert.deepEqual(changed({ certificates: { ca: { extensions: [critical] } } }), ['pckChain: unreadable'])
  assert.deepEqual(changed({ certificates: { tcb: { issuerKey: dcapKeys.stranger } } }), [
    'tcbInfoChain: chain_invalid',
  ])
})

test('2: every certificate holds at the time asked about', () => {
  const over = { to: DCAP_AT - 1 }
  const early = { from: DCAP_AT + 1 }
  const then = (step: string) => [`${step}: certificate_not_valid_then`]
  for (const times of [over, early]) {
    for (const role of ['root', 'ca', 'pck'] as const) {
      assert.deepEqual(changed({ certificates: { [role]: times } }), then('pckChain'), role)
    }
    assert.deepEqual(changed({ certificates: { tcb: times } }), then('tcbInfoChain'))
  }
})

test('3: revocation lists: garbage, forged, swapped, of another CA, out of their window', () => {
  const garbage = Uint8Array.of(1, 2, 3)
  assert.deepEqual(failures(good, { collateral: { rootCaCrl: garbage } }), ['rootCrl: unreadable'])
  assert.deepEqual(failures(good, { collateral: { pckCrl: garbage } }), ['pckCrl: unreadable'])
  assert.deepEqual(failures(good, { collateral: { pckCrl: new Uint8Array(0) } }), ['pckCrl: unreadable'])
  const { rootCaCrl, pckCrl } = good.collateral
  assert.deepEqual(failures(good, { collateral: { pckCrl: join(pckCrl, [0]) } }), ['pckCrl: unreadable'])
  assert.deepEqual(failures(good, { collateral: { rootCaCrl: pckCrl } }), ['rootCrl: crl_issuer_differs'])
  assert.deepEqual(failures(good, { collateral: { pckCrl: rootCaCrl } }), ['pckCrl: crl_issuer_differs'])
  assert.deepEqual(changed({ rootCrl: { key: dcapKeys.stranger } }), ['rootCrl: crl_forged'])
  assert.deepEqual(changed({ pckCrl: { key: dcapKeys.stranger } }), ['pckCrl: crl_forged'])
  assert.deepEqual(changed({ pckCrl: { issuer: 'Intel SGX PCK Processor CA' } }), [
    'pckCrl: crl_issuer_differs',
  ])
  for (const times of [
    { from: DCAP_AT - 9, to: DCAP_AT - 1 },
    { from: DCAP_AT + 1, to: DCAP_AT + 9 },
  ]) {
    assert.deepEqual(changed({ rootCrl: times }), ['rootCrl: crl_not_valid_then'])
    assert.deepEqual(changed({ pckCrl: times }), ['pckCrl: crl_not_valid_then'])
  }
  assert.deepEqual(changed({ certificates: { ca: { keyUsage: 0x04 } } }), ['pckCrl: crl_forged'])
  const processor = simulateDcap({ platformInstance: false })
  assert.deepEqual(
    failures(good, {
      collateral: {
        pckCrl: processor.collateral.pckCrl,
        pckCrlIssuerChain: processor.collateral.pckCrlIssuerChain,
      },
    }),
    ['pckCrl: crl_issuer_differs'],
  )
  const unrooted = { pckCrlIssuerChain: toPem(good.certificates.ca) }
  assert.deepEqual(failures(good, { collateral: unrooted }), ['pckCrl: root_not_approved'])
})

test('3: what is on a list is refused', () => {
  assert.deepEqual(changed({ pckCrl: { revoked: [9, 3] } }), ['notRevoked: certificate_revoked'])
  assert.deepEqual(changed({ rootCrl: { revoked: [2] } }), ['notRevoked: certificate_revoked'])
  assert.deepEqual(changed({ rootCrl: { revoked: [4] } }), ['notRevoked: certificate_revoked'])
  // Serial 3 on the root's list is another certificate.
  assert.deepEqual(changed({ rootCrl: { revoked: [3] }, pckCrl: { revoked: [2, 4] } }), [])
})

test('4: TCB info and QE identity: signature, form, window, edits', () => {
  const { tcbInfo, qeIdentity } = good.collateral
  const edited = { tcbInfo: tcbInfo.replace('OutOfDate', 'UpToDate') }
  assert.deepEqual(failures(good, { collateral: edited }), ['tcbInfo: tcb_info_forged'])
  assert.deepEqual(failures(good, { collateral: { tcbInfo: `${tcbInfo} ` } }), ['tcbInfo: tcb_info_forged'])
  assert.deepEqual(failures(good, { collateral: { tcbInfo: '[' } }), ['tcbInfo: tcb_info_forged'])
  const identity = { qeIdentity: qeIdentity.replace('"isvsvn":8', '"isvsvn":1') }
  assert.deepEqual(failures(good, { collateral: identity }), ['qeIdentity: qe_identity_forged'])
  assert.deepEqual(changed({ tcbInfoKey: dcapKeys.stranger }), ['tcbInfo: tcb_info_forged'])
  assert.deepEqual(changed({ qeIdentityKey: dcapKeys.stranger }), ['qeIdentity: qe_identity_forged'])
  const swapped = { tcbInfo: qeIdentity, tcbInfoSignature: good.collateral.qeIdentitySignature }
  assert.deepEqual(failures(good, { collateral: swapped }), ['tcbInfo: unreadable'])
  const over = { issueDate: '2025-01-01T00:00:00Z', nextUpdate: '2025-01-31T00:00:00Z' }
  const future = { issueDate: '2027-01-01T00:00:00Z', nextUpdate: '2027-01-31T00:00:00Z' }
  for (const dates of [over, future]) {
    assert.deepEqual(changed({ tcbInfo: dates }), ['tcbInfo: tcb_info_not_valid_then'])
    assert.deepEqual(changed({ qeIdentity: dates }), ['qeIdentity: qe_identity_not_valid_then'])
  }
})

test('4: what Intel signs but nobody here can read is refused, not guessed at', () => {
  const tcbInfo: Record<string, unknown>[] = [
    { version: 4 },
    { id: 'TPM' },
    { tcbType: 1 },
    { issueDate: '2026-02-30T00:00:00Z' },
    { fmspc: '00906ED5' },
    { tcbEvaluationDataNumber: '18' },
    { tcbLevels: {} },
    { tcbLevels: [{ ...level(0), tcbStatus: 'Fine' }] },
    { tcbLevels: [{ ...level(0), tcb: {} }] },
    { tdxModule: null },
    { tdxModuleIdentities: [{ id: 'TDX_1' }] },
  ]
  for (const change of tcbInfo) {
    assert.deepEqual(changed({ tcbInfo: change }), ['tcbInfo: unreadable'], JSON.stringify(change))
  }
  for (const change of [{ version: 1 }, { id: 'QVE' }, { mrsigner: 'ab' }, { tcbLevels: [{}] }]) {
    assert.deepEqual(changed({ qeIdentity: change }), ['qeIdentity: unreadable'], JSON.stringify(change))
  }
})

test('4: rollback to collateral of a lower evaluation number', () => {
  const parameters = { policy: { minimumEvaluationNumber: 18 } }
  const rolledBack = ['collateralRecent: evaluation_number_below_minimum']
  assert.deepEqual(failures(good, { parameters }), [])
  const older = simulateDcap({ tcbInfo: { tcbEvaluationDataNumber: 17 } })
  assert.deepEqual(failures(older, { parameters }), rolledBack)
  assert.equal(report(older, { parameters }).verdict, 'valid_but_refused')
  assert.deepEqual(changed({ qeIdentity: { tcbEvaluationDataNumber: 17 } }, { parameters: {} }), [])
  assert.deepEqual(
    failures(simulateDcap({ qeIdentity: { tcbEvaluationDataNumber: 17 } }), { parameters }),
    rolledBack,
  )
})

test('5: QE report: its signature, the key it commits to, signer, product, debug, SVN', () => {
  assert.deepEqual(changed({ qeReportKey: dcapKeys.stranger }), ['qeReport: qe_report_forged'])
  assert.deepEqual(changed({ committed: new Uint8Array(32).fill(1) }), [
    'attestationKey: attestation_key_unbound',
  ])
  assert.deepEqual(changed({ qeReport: { 352: [1] } }), ['attestationKey: attestation_key_unbound'])
  assert.deepEqual(changed({ qeReport: { 128: [0] } }), ['quotingEnclave: qe_unknown'])
  assert.deepEqual(changed({ qeReport: { 256: [1] } }), ['quotingEnclave: qe_unknown'])
  assert.deepEqual(changed({ qeReport: { 16: [1] } }), ['quotingEnclave: qe_unknown'])
  assert.deepEqual(changed({ qeReport: { 48: [0x95] } }), ['quotingEnclave: qe_unknown'])
  assert.deepEqual(changed({ qeReport: { 48: [0x17] } }), ['quotingEnclave: qe_debug'])
  // Even where the identity's mask would let it pass.
  assert.deepEqual(
    changed({ qeReport: { 48: [0x17] }, qeIdentity: { attributesMask: 'F9'.padEnd(32, '0') } }),
    ['quotingEnclave: qe_debug'],
  )
  assert.deepEqual(changed({ qeReport: { 258: [1] } }), ['tcbStatus: tcb_unrecognised'])
  const old = simulateDcap({ qeReport: { 258: [6] } })
  assert.deepEqual(failures(old), ['statusAccepted: status_below_minimum'])
  assert.deepEqual(changed({ quoteKey: dcapKeys.stranger }), ['quoteSignature: quote_forged'])
})

test('5: a flip in MRTD, REPORTDATA, RTMR3, QE report, attestation key', () => {
  const { length } = good.quote
  const body = 48
  const signature = body + 584 + 4
  const cases: [string, number, string][] = [
    ['MRTD', body + 136, 'quoteSignature: quote_forged'],
    ['RTMR3', body + 328 + 144, 'quoteSignature: quote_forged'],
    ['REPORTDATA', body + 520, 'quoteSignature: quote_forged'],
    ['user data', 47, 'quoteSignature: quote_forged'],
    ['signature', signature, 'quoteSignature: quote_forged'],
    ['attestation key', signature + 64, 'attestationKey: attestation_key_unbound'],
    ['QE report', signature + 128 + 6 + 64, 'qeReport: qe_report_forged'],
    ['QE report signature', signature + 128 + 6 + 384, 'qeReport: qe_report_forged'],
    ['authentication data', signature + 128 + 6 + 450, 'attestationKey: attestation_key_unbound'],
  ]
  for (const [what, at, expected] of cases) {
    assert.ok(at < length)
    assert.deepEqual(failures(good, { quote: flipped(good.quote, at) }), [expected], what)
  }
  assert.deepEqual(failures(enclave, { quote: flipped(enclave.quote, 48 + 64) }), [
    'quoteSignature: quote_forged',
  ])
})

test('5: the twin of a signature signs the same quote, so it is known by what was signed', () => {
  const at = 48 + 584 + 4
  const twin = new Uint8Array(good.quote)
  const s = BigInt(bytesToHex(twin.subarray(at + 32, at + 64)))
  const other = (p256.Point.Fn.ORDER - s).toString(16).padStart(64, '0')
  twin.set(Buffer.from(other, 'hex'), at + 32)
  assert.notDeepEqual(twin, good.quote)
  const [first, second] = [report(good), report(good, { quote: twin })]
  assert.ok(second.ok)
  assert.equal(second.attestation?.payloadHash, first.attestation?.payloadHash)
})

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

function level(svn: number, tdxSvn = 0) {
  return {
    tcb: {
      sgxtcbcomponents: allOf(svn).map((value) => ({ svn: value })),
      pcesvn: 11,
      tdxtcbcomponents: allOf(tdxSvn).map((value) => ({ svn: value })),
    },
    tcbDate: '2025-03-13T00:00:00Z',
    tcbStatus: 'UpToDate',
  }
}

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

test('7: debug, SEPT_VE_DISABLE, migration, unknown attributes, the module’s signer', () => {
  const attributes = (...bytes: number[]) => ({ quote: { 120: [...bytes, ...allOf(0)].slice(0, 8) } })
  const refused = ['tdAttributes: td_attributes_refused']
  for (const bit of [1, 2, 0x10, 0x80]) {
    assert.deepEqual(changed(attributes(bit, 0, 0, 0x10)), ['notDebug: debug'], `TUD bit ${bit}`)
  }
  assert.deepEqual(changed(attributes(0, 0, 0, 0)), refused)
  assert.deepEqual(changed(attributes(0, 0, 0, 0x30)), refused)
  assert.deepEqual(changed(attributes(0, 1, 0, 0x10)), refused)
  assert.deepEqual(changed(attributes(0, 0, 0, 0x50, 0, 0, 0, 0x80)), [])
  const allowing = { policy: { allowMigratable: true, allowSeptVe: true } }
  assert.deepEqual(failures(simulateDcap(attributes(0, 0, 0, 0x20)), { parameters: allowing }), [])
  assert.deepEqual(failures(simulateDcap(attributes(1, 0, 0, 0x20)), { parameters: allowing }), [
    'notDebug: debug',
  ])
  assert.deepEqual(changed({ kind: 'sgx', quote: { 48: [0x07] } }), ['notDebug: debug'])
  const other = { policy: { seamSigners: [`0x${'01'.repeat(48)}` as Hex] } }
  assert.deepEqual(failures(good, { parameters: other }), ['seamSigner: seam_signer_not_approved'])
})

test('8: the measurement that governance approves, of either kind', () => {
  const words = (byte: number): Hex => `0x${byte.toString(16).padStart(2, '0').repeat(48)}`
  const registers = [words(0x10), words(0x11), words(0x12), words(0x13)] as const
  const td = tdxMeasurement(words(0x7d), words(0), registers)
  const sgx = sgxMeasurement(`0x${'e1'.repeat(32)}`, `0x${'00'.repeat(64)}`)
  const expecting = (measurement: Hex) => ({ parameters: { expected: { measurement } } })
  const differs = ['measurement: measurement_differs']
  assert.equal(report(good, expecting(td)).attestation?.measurement, td)
  assert.equal(report(enclave, expecting(sgx)).attestation?.measurement, sgx)
  assert.deepEqual(failures(good, expecting(sgx)), differs)
  assert.deepEqual(failures(enclave, expecting(td)), differs)
  // Launched with another configuration: MRCONFIGID, CONFIGID.
  assert.deepEqual(changed({ quote: { 184: [1] } }, {}), [])
  assert.deepEqual(failures(simulateDcap({ quote: { 184: [1] } }), expecting(td)), differs)
  assert.deepEqual(failures(simulateDcap({ kind: 'sgx', quote: { 192: [1] } }), expecting(sgx)), differs)
})

test('8: measurements and REPORTDATA', () => {
  const expecting = (expected: VerifyDcapParameters['expected'], made = good) =>
    failures(made, { parameters: { expected } })
  const register = (byte: number): Hex => `0x${byte.toString(16).repeat(96 / byte.toString(16).length)}`
  const rtmrs = [0x10, 0x11, 0x12, 0x13].map(register)
  const differs = ['measurements: measurement_differs']
  assert.deepEqual(expecting({ measurements: { mrTd: register(0x7d), rtmrs } }), [])
  assert.deepEqual(expecting({ measurements: { mrTd: register(0x7e) } }), differs)
  assert.deepEqual(
    expecting({ measurements: { rtmrs: [undefined, undefined, undefined, rtmrs[0]] } }),
    differs,
  )
  assert.deepEqual(expecting({ measurements: { rtmrs: [...rtmrs, rtmrs[0]] } }), differs)
  assert.deepEqual(expecting({ measurements: { mrEnclave: register(0x7d) } }), differs)
  const mrEnclave: Hex = `0x${'e1'.repeat(32)}`
  const mrSigner: Hex = `0x${'e2'.repeat(32)}`
  assert.deepEqual(
    expecting({ measurements: { mrEnclave, mrSigner, isvProdId: 0, minimumIsvSvn: 0 } }, enclave),
    [],
  )
  assert.deepEqual(expecting({ measurements: { mrEnclave: mrSigner } }, enclave), differs)
  assert.deepEqual(expecting({ measurements: { isvProdId: 1 } }, enclave), differs)
  assert.deepEqual(expecting({ measurements: { minimumIsvSvn: 1 } }, enclave), differs)
  assert.deepEqual(expecting({ measurements: { rtmrs } }, enclave), differs)
  const foreign = ['reportData: report_data_differs']
  assert.deepEqual(expecting({ reportData: `0x${'da'.repeat(64)}` }), [])
  assert.deepEqual(expecting({ reportData: `0x${'da'.repeat(32)}` }), foreign)
  assert.deepEqual(expecting({ reportData: '0x' }), foreign)
  assert.deepEqual(expecting({ reportData: `0x${'da'.repeat(65)}` }), foreign)
})

test('8: an event log counts where it replays to the registers, and its first event of a name', () => {
  const event = (name: string, payload: string, digest = '') => ({
    imr: 3,
    event_type: 0x08000001,
    digest,
    event: name,
    event_payload: payload,
  })
  const firmware = { imr: 0, event_type: 4, digest: '0a'.repeat(48), event: '', event_payload: '' }
  const entries = [
    firmware,
    event('compose-hash', 'c0ffee'),
    event('compose-hash', 'bad0'),
    event('ready', ''),
  ]
  const log = (value: unknown) => readEventLog(JSON.stringify(value))
  const eventLog = log(entries)
  const registers = replayRtmrs(eventLog).map((register) => [...Buffer.from(register.slice(2), 'hex')])
  const made = simulateDcap({ quote: { 328: registers.flat() } })
  const expecting = (expected: VerifyDcapParameters['expected']) =>
    failures(made, { parameters: { expected } })
  assert.deepEqual(expecting({ eventLog, events: { 'compose-hash': '0xc0ffee', ready: '0x' } }), [])
  assert.deepEqual(expecting({ eventLog, events: { 'compose-hash': '0xbad0' } }), ['events: event_differs'])
  assert.deepEqual(expecting({ eventLog, events: { 'app-id': '0x' } }), ['events: event_differs'])
  assert.deepEqual(expecting({ events: { ready: '0x' } }), ['events: event_differs'])
  // An event that a log invents, drops or reorders moves the register.
  for (const lie of [entries.slice(1), [...entries, event('ready', '')], entries.toReversed()]) {
    assert.deepEqual(expecting({ eventLog: log(lie) }), ['eventLog: event_log_differs'])
  }
  const invented = log([firmware, event('compose-hash', 'bad0')])
  assert.deepEqual(expecting({ eventLog: invented, events: { 'compose-hash': '0xbad0' } }), [
    'eventLog: event_log_differs',
    'events: event_log_differs',
  ])
  const enclaveLog = { parameters: { expected: { eventLog } } }
  assert.deepEqual(failures(enclave, enclaveLog), ['eventLog: event_log_differs'])
  assert.throws(() => log([event('compose-hash', 'c0ffee', '0a'.repeat(48))]), /not that of its payload/)
  assert.throws(() => log([{ ...firmware, imr: 4 }]), /imr/)
  assert.throws(() => log([{ ...firmware, digest: '' }]), /digest/)
  assert.throws(() => log({}), /not a list/)
})

test('even what Intel signs may be malformed in every way and gives a failed step, never an exception', () => {
  const random = randomFrom(Math.floor(Date.now() / 86_400_000))
  const bytes = new TextEncoder().encode(good.collateral.tcbInfo)
  let read = 0
  for (let count = 0; count < 100; count++) {
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(mutate(bytes, [bytes], random)))
      if (typeof value !== 'object' || value === null) continue
      const made = simulateDcap({ tcbInfo: value as Record<string, unknown> })
      assert.equal(failures(made).length === 0, report(made).ok)
      read++
    } catch (error) {
      assert.ok(error instanceof SyntaxError)
    }
  }
  assert.ok(read > 10)
})
