/** Checks of a quote itself: 1 its form, 5 its signatures, 7 its attributes, 8 what it measures and says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HARDWARE_SGX, HARDWARE_TDX, sgxMeasurement, tdxMeasurement } from '@assay/protocol'
import { p256 } from '@noble/curves/nist.js'
import { bytesToHex, type Hex } from 'viem'
import { readEventLog, type VerifyDcapParameters } from '../../src/index.ts'
import { replayRtmrs } from '../../src/tee/dcap/eventLog.ts'
import { allOf, changed, DAY, enclave, failures, failuresOf, flipped, good, report } from './dcapReports.ts'
import { mutate, randomFrom } from './mutate.ts'
import { DCAP_AT, dcapKeys, join, simulateDcap } from './simulatedDcap.ts'

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
