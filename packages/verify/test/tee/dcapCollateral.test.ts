/** Checks 2 to 4 of a quote: chains, revocation lists, and what Intel says of platforms and quoting enclaves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keccak256 } from 'viem'
import { SIGNS_DATA, writeCertificate } from './certificateWriter.ts'
import { changed, DAY, enclave, failures, good, level, report } from './dcapReports.ts'
import { der, extension } from './derWriter.ts'
import { DCAP_AT, type DcapChanges, dcapKeys, join, simulateDcap, toPem } from './simulatedDcap.ts'

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
