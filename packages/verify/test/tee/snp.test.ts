import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HARDWARE_SNP, snpMeasurement } from '@assay/protocol'
import { bytesToHex, type Hex, keccak256 } from 'viem'
import {
  AMD_ROOT_HASHES,
  decodeSnpEvidence,
  encodeSnpEvidence,
  type SnpCode,
  type SnpEvidence,
  type SnpPolicy,
  type SnpVerification,
  type VerifySnpParameters,
  verifySnp,
} from '../../src/index.ts'
import { rsaKey } from './certificateWriter.ts'
import { der, integer } from './derWriter.ts'
import { fixture, missingFixtures, pemFixture } from './fixtures.ts'
import { authorities, CHIP, SNP_AT, type SnpChanges, simulateSnp } from './simulatedSnp.ts'

const DAY = 86_400

function outcomeOf(report: SnpVerification): string {
  assert.equal(report.ok, report.attestation !== undefined)
  assert.equal(report.ok, report.verdict === 'accepted')
  const failed = report.steps.filter((step) => step.outcome === 'failed')
  return [report.verdict, ...failed.map(({ name, code }) => `${name}:${code}`)].join(' ')
}

function check(changes: SnpChanges, parameters: Partial<VerifySnpParameters> = {}): string {
  const made = simulateSnp(changes)
  return outcomeOf(verifySnp(made.evidence, { ...made.parameters, ...parameters }))
}

const withPolicy = (changes: SnpChanges, policy: Partial<SnpPolicy>) => check(changes, { policy })
const invalid = (step: string, code: SnpCode | 'unreadable') => `invalid ${step}:${code}`
const refused = (step: string, code: SnpCode) => `valid_but_refused ${step}:${code}`

test('a genuine report passes every check', () => {
  const { evidence, parameters } = simulateSnp({ crl: {} })
  const measured: Hex = `0x${'09'.repeat(48)}`
  const report = verifySnp(evidence, {
    ...parameters,
    expectedReportData: `0x${'07'.repeat(32)}`,
    expectedMeasurement: snpMeasurement(measured, `0x${'0b'.repeat(32)}`),
    expectedLaunchDigest: measured,
    expectedHostData: `0x${'0B'.repeat(32)}`,
  })
  assert.deepEqual(
    report.steps.filter((step) => step.outcome !== 'passed'),
    [],
  )
  assert.equal(report.attestation?.product, 'Genoa')
  assert.equal(report.attestation?.measurement, snpMeasurement(measured, `0x${'0b'.repeat(32)}`))
  assert.equal(report.attestation?.chipId, bytesToHex(CHIP))
})

test('report versions 2 to 5, and no other', () => {
  for (const version of [2, 3, 4, 5]) assert.equal(check({ version }), 'accepted', `version ${version}`)
  for (const version of [0, 1, 6]) assert.equal(check({ version }), invalid('reportShape', 'unreadable'))
  // Mitigation vectors of version 5, where version 2 must have zeros.
  const vectors = { 504: [1, 0, 0, 0, 0, 0, 0, 0, 2] }
  assert.equal(check({ version: 5, report: vectors }), 'accepted')
  assert.equal(check({ version: 2, report: vectors }), invalid('reportShape', 'unreadable'))
})

test('what a guest may ask of its host is no reason to refuse it, and every part of a line is of that line', () => {
  // Policy bits 20 to 25: one socket, CXL, AES-256-XTS, RAPL off, hidden ciphertext, no page swapping; 16: no SMT.
  for (const bits of [[0x02], [0x13, 0x00], [0x33, 0x02], [0xf3, 0x03]]) {
    assert.equal(check({ report: { 10: bits } }), 'accepted', bits.join())
  }
  const named = (product: string) => ({ '2': der(0x16, Buffer.from(product)) })
  for (const [product, cpuid] of [
    ['Genoa-B2', [0x19, 0x11, 0x02]],
    ['Bergamo-A2', [0x19, 0xa0, 0x02]],
    ['Siena-B0', [0x19, 0xaf, 0x00]],
  ] as const) {
    const report = { 392: [...cpuid] }
    assert.equal(check({ endorsement: named(product), report }), 'accepted', product)
  }
  const dense = { product: 'Turin', report: { 392: [0x1a, 0x11, 0x00] } } as const
  assert.equal(check(dense), 'accepted')
  // Venice, the line after Turin: nobody knows its root yet.
  const later = { product: 'Turin', report: { 392: [0x1a, 0x50, 0x00] } } as const
  assert.equal(check(later), invalid('endorsement', 'product_differs'))
})

test('each product line lays its TCB out in its own way', () => {
  assert.equal(check({ product: 'Turin' }), 'accepted')
  assert.equal(check({ product: 'Turin', tcb: [9, 8, 7, 6, 0, 0, 0, 5] }), 'accepted')
  assert.equal(check({ product: 'Genoa', tcb: [9, 8, 0, 0, 0, 0, 7, 6] }), 'accepted')
  const turinLevels = { '3.1': integer(2), '3.2': integer(3), '3.3': integer(4), '3.8': integer(72) }
  assert.equal(
    check({ product: 'Genoa', tcb: [1, 2, 3, 4, 0, 0, 0, 72], endorsement: turinLevels }),
    invalid('endorsement', 'tcb_differs'),
  )
  assert.equal(
    check({ product: 'Turin', endorsement: { '3.9': null } }),
    invalid('endorsement', 'tcb_differs'),
  )
  // Reserved bytes of the level are compared too.
  const made = check({ report: { 384: [3, 0, 1, 0, 0, 0, 20, 80] } })
  assert.equal(made, invalid('endorsement', 'tcb_differs'))
})

test('shape: size, algorithm, zero padding, reserved bits', () => {
  const { evidence, parameters } = simulateSnp()
  const sized = (report: Uint8Array) => outcomeOf(verifySnp({ ...evidence, report }, parameters))
  assert.equal(sized(evidence.report.subarray(0, -1)), invalid('reportShape', 'unreadable'))
  assert.equal(sized(new Uint8Array([...evidence.report, 0])), invalid('reportShape', 'unreadable'))
  assert.equal(sized(new Uint8Array(0)), invalid('reportShape', 'unreadable'))
  const unreadable: [string, SnpChanges['report']][] = [
    ['signature algorithm', { 52: [2] }],
    ['reserved after the key flags', { 76: [1] }],
    ['reserved after CPUID', { 395: [1] }],
    ['reserved before the signature', { 671: [1] }],
    ['policy bit 17 is one', { 10: [0x01] }],
    ['policy bits above 25 are zero', { 11: [0x04] }],
    ['reserved signing key', { 72: [2 << 2] }],
    ['reserved key flags', { 72: [0x20] }],
  ]
  for (const [name, report] of unreadable) {
    assert.equal(check({ report: report ?? {} }), invalid('reportShape', 'unreadable'), name)
  }
  for (const at of [0x2a0 + 48, 0x2a0 + 72 + 48, 1183]) {
    const padded = new Uint8Array(evidence.report)
    padded[at] = 1
    assert.equal(sized(padded), invalid('reportShape', 'unreadable'), `padding at ${at}`)
  }
})

test('measurement flip: any bit of what is signed', () => {
  const { evidence, parameters } = simulateSnp()
  for (const at of [0x04, 0x50, 0x90, 0xbf, 0xc0, 0xe0, 0x140]) {
    const report = new Uint8Array(evidence.report)
    report[at] = (report[at] as number) ^ 1
    assert.equal(
      outcomeOf(verifySnp({ ...evidence, report }, parameters)),
      invalid('signature', 'report_signature'),
    )
  }
})

test('MASK_CHIP_KEY: an unsigned report is nothing', () => {
  assert.equal(check({ report: { 72: [2] } }), invalid('signingKey', 'chip_unsigned'))
  assert.equal(check({ report: { 72: [7 << 2] } }), invalid('signingKey', 'chip_unsigned'))
})

test('an unapproved root', () => {
  assert.equal(check({}, { roots: [] }), invalid('rootApproved', 'root_unknown'))
  const other = { rootHash: keccak256('0x01'), hardwareType: HARDWARE_SNP }
  assert.equal(check({}, { roots: [other] }), invalid('rootApproved', 'root_unknown'))
})

test('Milan VCEK under Genoa ASK', () => {
  const milan = simulateSnp({ product: 'Milan' })
  const genoa = simulateSnp({ product: 'Genoa' })
  const certificates = [
    ...genoa.evidence.certificates.slice(0, 2),
    milan.evidence.certificates[2] as Uint8Array,
  ]
  assert.equal(
    outcomeOf(verifySnp({ ...milan.evidence, certificates }, genoa.parameters)),
    invalid('chainLinks', 'chain_broken'),
  )
  // Even a certificate that Genoa's ASK did sign, but for a Milan chip.
  assert.equal(
    check({ endorsement: { '2': der(0x16, Buffer.from('Milan-B0')) } }),
    invalid('endorsement', 'product_differs'),
  )
  assert.equal(check({ report: { 392: [0x19, 0x01, 0x01] } }), invalid('endorsement', 'product_differs'))
})

test('chain: forged, reordered, missing, other roles', () => {
  const { evidence, parameters } = simulateSnp()
  const [ark, ask, vcek] = evidence.certificates as [Uint8Array, Uint8Array, Uint8Array]
  const chained = (...certificates: Uint8Array[]) =>
    outcomeOf(verifySnp({ ...evidence, certificates }, parameters))
  assert.equal(chained(ark, vcek, ask), invalid('chainLinks', 'certificate_role'))
  assert.equal(chained(ark, ask), invalid('rootApproved', 'chain_broken'))
  assert.equal(chained(ark, ask, ask, vcek), invalid('rootApproved', 'chain_broken'))
  assert.equal(chained(ark, ask, new Uint8Array(2)), invalid('chainLinks', 'unreadable'))
  const { ask: askKey } = authorities()
  const links: [string, SnpChanges['certificates'], SnpCode][] = [
    ['VCEK signed by the root', { 2: { issuerKey: authorities().ark } }, 'chain_broken'],
    ['ASK signed by itself', { 1: { issuerKey: askKey } }, 'chain_broken'],
    ['other issuer name', { 2: { issuer: 'SEV-Milan' } }, 'chain_broken'],
    ['ASK is no CA', { 1: { ca: false } }, 'chain_broken'],
    ['ASK may not sign', { 1: { keyUsage: 0x80 } }, 'chain_broken'],
    ['VLEK authority above a VCEK', { 1: { subject: 'SEV-VLEK-Genoa' } }, 'certificate_role'],
    ['VLEK as VCEK', { 2: { subject: 'SEV-VLEK' } }, 'certificate_role'],
    ['VCEK is a CA', { 2: { ca: true, keyUsage: 6 } }, 'certificate_role'],
    ['VCEK with an RSA key', { 2: { subjectKey: askKey } }, 'certificate_role'],
    ['root of no product', { 0: { subject: 'ARK-Naples' } }, 'certificate_role'],
  ]
  for (const [name, certificates, code] of links) {
    assert.equal(check({ certificates: certificates ?? {} }), invalid('chainLinks', code), name)
  }
})

test('expired and not yet valid certificates', () => {
  for (const at of [0, 1, 2] as const) {
    assert.equal(
      check({ certificates: { [at]: { to: SNP_AT - 1 } } }),
      invalid('chainTime', 'certificate_time'),
    )
    assert.equal(
      check({ certificates: { [at]: { from: SNP_AT + 1 } } }),
      invalid('chainTime', 'certificate_time'),
    )
  }
})

test('revocation list: revoked, forged, of another issuer, stale, absent', () => {
  assert.equal(check({ crl: { revoked: [7] } }), 'accepted')
  assert.equal(check({ crl: { revoked: [7, 2] } }), invalid('notRevoked', 'revoked'))
  assert.equal(check({ crl: { key: authorities().ask } }), invalid('notRevoked', 'crl_forged'))
  assert.equal(check({ crl: { issuer: 'ARK-Milan' } }), invalid('notRevoked', 'crl_forged'))
  assert.equal(check({ crl: { to: SNP_AT - 1 } }), invalid('notRevoked', 'crl_stale'))
  assert.equal(check({ crl: { from: SNP_AT + 1 } }), invalid('notRevoked', 'crl_stale'))
  const { evidence, parameters } = simulateSnp()
  const garbage = { ...evidence, crl: new Uint8Array(40).fill(0x30) }
  assert.equal(outcomeOf(verifySnp(garbage, parameters)), invalid('notRevoked', 'crl_forged'))
  const step = verifySnp(evidence, parameters).steps.find(({ name }) => name === 'notRevoked')
  assert.equal(step?.outcome, 'skipped')
  assert.equal(withPolicy({}, { requireRevocationList: true }), refused('notRevoked', 'crl_absent'))
})

test('VCEK of another chip, of other levels, or of odd form', () => {
  const cases: [string, SnpChanges, SnpCode | 'unreadable'][] = [
    ['other chip', { report: { 416: [0xff] } }, 'chip_differs'],
    ['masked chip id', { report: { 416: new Array(64).fill(0) } }, 'chip_differs'],
    ['other level', { endorsement: { '3.8': integer(79) } }, 'tcb_differs'],
    ['level missing', { endorsement: { '3.3': null } }, 'unreadable'],
    ['level above a byte', { endorsement: { '3.3': integer(256) } }, 'unreadable'],
    ['reserved level', { endorsement: { '3.4': integer(1) } }, 'unreadable'],
    ['no product', { endorsement: { '2': null } }, 'unreadable'],
    ['no chip', { endorsement: { '4': null } }, 'key_form'],
    ['a cloud too', { endorsement: { '5': der(0x16, Buffer.from('cloud')) } }, 'key_form'],
    ['a short chip id', { endorsement: { '4': CHIP.subarray(0, 8) } }, 'key_form'],
  ]
  for (const [name, changes, code] of cases) {
    assert.equal(check(changes), invalid('endorsement', code), name)
  }
  assert.equal(check({ endorsement: { '4': der(4, CHIP) } }), 'accepted')
  const turin = { product: 'Turin', report: { 432: [1] } } as const
  assert.equal(check(turin), invalid('endorsement', 'chip_differs'))
})

test('VLEK: refused by default, accepted where policy says so, never mistaken for a VCEK', () => {
  const vlek = { signer: 'VLEK' } as const
  assert.equal(check(vlek), refused('signerAccepted', 'signer_denied'))
  assert.equal(withPolicy(vlek, { signers: ['VCEK', 'VLEK'] }), 'accepted')
  const made = simulateSnp(vlek)
  const vcek = simulateSnp()
  const mixed = { ...vcek.evidence, certificates: made.evidence.certificates }
  assert.equal(outcomeOf(verifySnp(mixed, made.parameters)), invalid('chainLinks', 'certificate_role'))
  assert.equal(check({ ...vlek, endorsement: { '5': null } }), invalid('endorsement', 'key_form'))
  assert.equal(check({ ...vlek, endorsement: { '4': CHIP } }), invalid('endorsement', 'key_form'))
  // A deny list that names chips cannot be applied where the host hides the chip.
  const masked = { ...vlek, report: { 416: new Array(64).fill(0) } }
  const policy: Partial<SnpPolicy> = { signers: ['VLEK'], deniedChips: [bytesToHex(CHIP)] }
  assert.equal(withPolicy(masked, policy), refused('chipAccepted', 'chip_masked'))
})

test('policy: Milan, debug, migration, VMPL, minimum TCB, deny list', () => {
  const milan = { product: 'Milan' } as const
  assert.equal(check(milan), refused('productAccepted', 'product_denied'))
  assert.equal(withPolicy(milan, { products: ['Milan'] }), 'accepted')
  assert.equal(check({ report: { 10: [0x0b] } }), refused('notDebug', 'debug_enabled'))
  assert.equal(check({ report: { 10: [0x07] } }), refused('notMigratable', 'migration_enabled'))
  assert.equal(check({ report: { 48: [1] } }), refused('privilegeLevel', 'vmpl_too_high'))
  assert.equal(withPolicy({ report: { 48: [1] } }, { maxVmpl: 1 }), 'accepted')
  const floor = (microcode: number) => ({ minimumTcb: { Genoa: { microcode } } })
  assert.equal(withPolicy({}, floor(80)), 'accepted')
  assert.equal(withPolicy({}, floor(81)), refused('minimumTcb', 'tcb_too_low'))
  const launchedOld = { report: { 496: [3, 0, 0, 0, 0, 0, 20, 79] } }
  assert.equal(withPolicy(launchedOld, floor(80)), refused('minimumTcb', 'tcb_too_low'))
  assert.equal(withPolicy({ product: 'Turin' }, floor(81)), 'accepted')
  const deniedChips: Hex[] = [`0x${Buffer.from(CHIP).toString('hex').toUpperCase()}`]
  assert.equal(withPolicy({}, { deniedChips }), refused('chipAccepted', 'chip_denied'))
})

test('a refusal names every reason, not only the first', () => {
  assert.equal(
    check({ product: 'Milan', report: { 10: [0x0f] } }),
    'valid_but_refused productAccepted:product_denied notDebug:debug_enabled notMigratable:migration_enabled',
  )
})

test('other code, other configuration, other key or operator', () => {
  const other = keccak256('0x01')
  const longer: Hex = `0x${'01'.repeat(48)}`
  assert.equal(check({}, { expectedMeasurement: other }), refused('measurement', 'measurement_differs'))
  assert.equal(check({}, { expectedLaunchDigest: longer }), refused('launchDigest', 'launch_digest_differs'))
  assert.equal(check({}, { expectedHostData: other }), refused('hostData', 'host_data_differs'))
  assert.equal(check({}, { expectedReportData: other }), refused('reportData', 'report_data_differs'))
  // 32 expected bytes do not match 64 of which only the first half agrees.
  const tail = { report: { 112: [1] } }
  const first: Hex = `0x${'07'.repeat(32)}`
  assert.equal(check(tail, { expectedReportData: first }), refused('reportData', 'report_data_differs'))
})

test('evidence survives its document, and a document of another form is refused', () => {
  for (const { evidence } of [simulateSnp(), simulateSnp({ crl: {} })]) {
    const document = encodeSnpEvidence(evidence)
    assert.deepEqual(decodeSnpEvidence(document), evidence)
  }
  const { report, certificates } = simulateSnp().evidence
  const short = encodeSnpEvidence({ report, certificates: certificates.slice(1) })
  const other = new TextEncoder().encode('{"format":"assay-snp/2"}')
  for (const document of [short, other, new Uint8Array(0), new Uint8Array(1 << 20)]) {
    assert.throws(() => decodeSnpEvidence(document), { code: 'malformed' })
  }
  const trailing = new Uint8Array([...encodeSnpEvidence({ report, certificates }), 0x20])
  assert.throws(() => decodeSnpEvidence(trailing), { code: 'non_canonical' })
})

test('the twin signature (r, n − s) is the same report', () => {
  const { evidence, parameters } = simulateSnp()
  const order =
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n
  const twin = new Uint8Array(evidence.report)
  const field = twin.subarray(0x2a0 + 72, 0x2a0 + 72 + 48)
  const s = BigInt(bytesToHex(field.slice().reverse()))
  field.set(Buffer.from((order - s).toString(16).padStart(96, '0'), 'hex').reverse())
  const [first, second] = [evidence.report, twin].map(
    (report) => verifySnp({ ...evidence, report }, parameters).attestation?.payloadHash,
  )
  assert.notEqual(first, undefined)
  assert.equal(first, second)
})

test('an RSA signature of another key or size is none', () => {
  const stranger = rsaKey()
  assert.equal(check({ certificates: { 1: { issuerKey: stranger } } }), invalid('chainLinks', 'chain_broken'))
})

test('recorded reports', { skip: missingFixtures('snp') }, async (t) => {
  const [milanAsk, milanArk] = pemFixture('snp/ask_ark_milan.pem') as [Uint8Array, Uint8Array]
  const [genoaAsk, genoaArk] = pemFixture('snp/ask_ark_genoa.pem') as [Uint8Array, Uint8Array]
  const [turinAsk, turinArk] = pemFixture('snp/ask_ark_turin_vcek.pem') as [Uint8Array, Uint8Array]
  assert.deepEqual(
    [milanArk, genoaArk, turinArk].map((ark) => keccak256(ark)),
    Object.values(AMD_ROOT_HASHES),
  )
  const roots = [milanArk, genoaArk, turinArk].map((ark) => ({
    rootHash: keccak256(ark),
    hardwareType: HARDWARE_SNP,
  }))
  const recorded: [string, string, number, string][] = [
    ['virtee-report-milan.bin', 'virtee-vcek-milan.der', Date.UTC(2023, 4, 1) / 1000, ''],
    ['gosev-attestation.bin', 'gosev-vcek.der', Date.UTC(2022, 9, 1) / 1000, ' notDebug:debug_enabled'],
  ]
  const denied = 'productAccepted:product_denied'
  for (const [name, vcek, then, also] of recorded) {
    await t.test(name, () => {
      const evidence: SnpEvidence = {
        report: fixture(`snp/${name}`),
        certificates: [milanArk, milanAsk, fixture(`snp/${vcek}`)],
      }
      const at = (now: number, changes: Partial<SnpEvidence> = {}, policy: Partial<SnpPolicy> = {}) =>
        outcomeOf(verifySnp({ ...evidence, ...changes }, { roots, now: BigInt(now), policy }))
      assert.equal(at(then), `valid_but_refused ${denied}${also}`)
      const allowed = also === '' ? 'accepted' : `valid_but_refused${also}`
      assert.equal(at(then, {}, { products: ['Milan'] }), allowed)
      // A VCEK lives seven years: at today's time it is still policy that refuses, later it has expired.
      assert.equal(at(Date.UTC(2026, 10, 21) / 1000), `valid_but_refused ${denied}${also}`)
      assert.equal(at(then + 8 * 365 * DAY), invalid('chainTime', 'certificate_time'))
      assert.equal(at(then - 2 * 365 * DAY), invalid('chainTime', 'certificate_time'))
      const vcekBytes = evidence.certificates[2] as Uint8Array
      for (const [ark, ask] of [
        [genoaArk, genoaAsk],
        [turinArk, turinAsk],
      ] as const) {
        assert.equal(at(then, { certificates: [ark, ask, vcekBytes] }), invalid('chainLinks', 'chain_broken'))
      }
      for (let position = 0; position < 1184; position += 97) {
        const report = new Uint8Array(evidence.report)
        report[position] = (report[position] as number) ^ 0x10
        assert.match(at(then, { report }), /^invalid /, `byte ${position}`)
      }
    })
  }
  await t.test('one chip is not the other', () => {
    const evidence = {
      report: fixture('snp/virtee-report-milan.bin'),
      certificates: [milanArk, milanAsk, fixture('snp/gosev-vcek.der')],
    }
    const report = verifySnp(evidence, { roots, now: BigInt(Date.UTC(2024, 0, 1) / 1000) })
    assert.equal(outcomeOf(report), invalid('endorsement', 'tcb_differs'))
  })
})
