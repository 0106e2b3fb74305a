import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enclaveBinding, type GpuEvidence, gpuNonce, NO_KEY_HASH } from '@assay/protocol'
import { bytesToHex, type Hex, hexToBytes, keccak256 } from 'viem'
import {
  type GoldenMeasurement,
  type GpuCode,
  type GpuVerification,
  NVIDIA_ROOT_HASH,
  parseGpuEvidence,
  readRim,
  repeatedDevices,
  type VerifyGpuParameters,
  verifyGpu,
} from '../../src/index.ts'
import { parseCertificate } from '../../src/tee/x509/certificate.ts'
import { ECDSA_P384 } from '../../src/tee/x509/scheme.ts'
import { p384Key } from './certificateWriter.ts'
import { missingFixtures, pemFixture } from './fixtures.ts'
import { recordedGpus } from './recordedEvidence.ts'
import { type GpuChanges, HARDWARE_GPU, NONCE, registers, simulateGpu } from './simulatedGpu.ts'

function outcomeOf(report: GpuVerification): string {
  assert.equal(report.ok, report.attestation !== undefined)
  const failed = report.steps.filter((step) => step.outcome === 'failed')
  return [report.verdict, ...failed.map(({ name, code }) => `${name}:${code}`)].join(' ')
}

function check(changes: GpuChanges, parameters: Partial<VerifyGpuParameters> = {}): string {
  const made = simulateGpu(changes)
  return outcomeOf(verifyGpu(made.evidence, { ...made.parameters, ...parameters }))
}

const invalid = (step: string, code: GpuCode | 'unreadable') => `invalid ${step}:${code}`
const refused = (step: string, code: GpuCode) => `valid_but_refused ${step}:${code}`

/** Golden values that the simulated report holds. */
function goldenOf(count: number): GoldenMeasurement[] {
  return registers(count).map((value, index) => ({
    index,
    values: [`0x${'ff'.repeat(48)}`, bytesToHex(value)],
  }))
}

test('a genuine report passes every check', () => {
  const { evidence, parameters } = simulateGpu()
  const report = verifyGpu(evidence, {
    ...parameters,
    expectedNonce: bytesToHex(NONCE),
    golden: goldenOf(64),
    revoked: [],
  })
  assert.deepEqual(
    report.steps.filter((step) => step.outcome !== 'passed'),
    [],
  )
  assert.equal(report.attestation?.driverVersion, '590.12')
  assert.equal(report.attestation?.measurements.size, 64)
  assert.equal(report.attestation?.model, 'GH100 device SIMULATED')
})

test('shape: cut, trailing, other codes, other sizes, repeated fields', () => {
  const { evidence, parameters } = simulateGpu()
  const sized = (report: Uint8Array) => outcomeOf(verifyGpu({ ...evidence, report }, parameters))
  const shape = invalid('reportShape', 'unreadable')
  for (const length of [0, 1, 36, 37, 44, 45, 500, evidence.report.length - 1]) {
    assert.equal(sized(evidence.report.subarray(0, length)), shape, `${length} bytes`)
  }
  assert.equal(sized(new Uint8Array([...evidence.report, 0])), shape, 'trailing byte')
  assert.equal(sized(new Uint8Array(100_000)), shape, 'too large')
  const cases: [string, GpuChanges][] = [
    ['SPDM version of the request', { bytes: { 0: [0x12] } }],
    ['request code', { bytes: { 1: [0xe1] } }],
    ['unsigned measurements', { bytes: { 2: [0] } }],
    ['SPDM version of the response', { bytes: { 37: [0x10] } }],
    ['an SPDM error instead of measurements', { bytes: { 38: [0x7f] } }],
    ['more blocks than the record has', { bytes: { 41: [65] } }],
    ['fewer blocks than the record has', { bytes: { 41: [63] } }],
    ['an index twice', { bytes: { [45 + 55]: [1] } }],
    ['index 0', { bytes: { 45: [0] } }],
    ['another measurement specification', { bytes: { 46: [2] } }],
    ['no measurements', { measurements: [] }],
    ['a measurement that is too long', { measurements: [new Uint8Array(2000)] }],
    ['a value longer than its block', { bytes: { 50: [49] } }],
    ['a firmware id of another size', { opaque: { 20: new Uint8Array(32) } }],
    ['an odd driver version', { opaque: { 3: Uint8Array.of(0x1b, 0x5b) } }],
  ]
  for (const [name, changes] of cases) assert.equal(check(changes), shape, name)
})

test('an unapproved root, and no chain', () => {
  assert.equal(check({}, { roots: [] }), invalid('rootApproved', 'root_unknown'))
  assert.equal(check({ rearrange: () => [] }, {}), invalid('rootApproved', 'root_unknown'))
})

test('chain: forged, reordered, missing, flags, times', () => {
  const stranger = p384Key()
  const cases: [string, GpuChanges][] = [
    ['forged device certificate', { certificates: { 3: { issuerKey: stranger } } }],
    ['forged leaf', { certificates: { 4: { issuerKey: stranger } } }],
    ['other issuer name', { certificates: { 2: { issuer: 'somebody else' } } }],
    ['intermediate is no CA', { certificates: { 2: { ca: false } } }],
    ['intermediate may not sign', { certificates: { 2: { keyUsage: 0x80 } } }],
    ['pathLen too small', { certificates: { 1: { pathLength: 1 } } }],
    ['leaf is a CA', { certificates: { 4: { ca: true, keyUsage: 0x84 } } }],
    ['leaf may not sign reports', { certificates: { 4: { keyUsage: 0x08 } } }],
    ['reordered', { rearrange: ([a, b, c, ...rest]) => [a, c, b, ...rest] as Uint8Array[] }],
    ['missing intermediate', { rearrange: ([a, , ...rest]) => [a, ...rest] as Uint8Array[] }],
    ['root and leaf alone', { rearrange: (all) => [all[0], all[4]] as Uint8Array[] }],
  ]
  for (const [name, changes] of cases) {
    assert.equal(check(changes), invalid('chainLinks', 'chain_broken'), name)
  }
  const many = { rearrange: (all: Uint8Array[]) => [...all, ...all] }
  assert.equal(check(many), invalid('chainLinks', 'unreadable'))
  for (const at of [0, 2, 4]) {
    assert.equal(
      check({ certificates: { [at]: { to: 1_769_999_999 } } }),
      invalid('chainTime', 'certificate_time'),
    )
  }
})

test('revocation by issuer and serial; without an answer the step is skipped', () => {
  const { evidence, parameters } = simulateGpu()
  const { issuer, serial } = parseCertificate(evidence.certificates[3] as Uint8Array, [ECDSA_P384])
  assert.equal(check({}, { revoked: [{ issuer, serial }] }), invalid('notRevoked', 'revoked'))
  assert.equal(check({}, { revoked: [{ issuer, serial: '0x01' }] }), 'accepted')
  const step = verifyGpu(evidence, parameters).steps.find(({ name }) => name === 'notRevoked')
  assert.equal(step?.outcome, 'skipped')
})

test('firmware: that of the certificate, in both forms; older firmware that names none is skipped', () => {
  assert.equal(check({ twoFirmwares: true }), 'accepted')
  const other = new Uint8Array(48).fill(3)
  assert.equal(check({ firmware: other }), invalid('firmware', 'firmware_differs'))
  assert.equal(check({ opaque: { 20: other } }), invalid('firmware', 'firmware_differs'))
  assert.equal(check({ certificates: { 4: { extensions: [] } } }), invalid('firmware', 'unreadable'))
  const { evidence, parameters } = simulateGpu({ opaque: { 20: null } })
  const report = verifyGpu(evidence, parameters)
  assert.equal(report.verdict, 'accepted')
  assert.equal(report.steps.find(({ name }) => name === 'firmware')?.outcome, 'skipped')
})

test('flips in nonce, measurements, opaque data and signature', () => {
  const { evidence, parameters } = simulateGpu()
  const { length } = evidence.report
  for (const at of [4, 35, 39, 60, 3000, length - 140, length - 1, length - 60]) {
    const report = new Uint8Array(evidence.report)
    report[at] = (report[at] as number) ^ 1
    assert.match(outcomeOf(verifyGpu({ ...evidence, report }, parameters)), /^invalid /, `byte ${at}`)
  }
})

test('a raw value is extracted like a digest, and compared with golden values', () => {
  const raw = { measurements: [new Uint8Array(8).fill(5)] }
  assert.equal(check(raw, { golden: [{ index: 0, values: ['0x0505050505050505'] }] }), 'accepted')
  assert.equal(
    check(raw, { golden: [{ index: 0, values: [`0x${'05'.repeat(48)}`] }] }),
    refused('measurements', 'measurement_differs'),
  )
})

test("Blackwell's form: some values raw, no opaque data, two firmware digests", () => {
  const { evidence, parameters } = simulateGpu({
    measurements: [Uint8Array.of(0xff), ...registers(2), new Uint8Array(108).fill(0xff)],
    opaque: { 3: null, 6: null, 11: null, 20: null },
    twoFirmwares: true,
  })
  const report = verifyGpu(evidence, parameters)
  assert.equal(outcomeOf(report), 'accepted')
  assert.equal(report.attestation?.measurements.get(0), '0xff')
  assert.equal(report.attestation?.driverVersion, undefined)
})

test('a switch under the same root is no GPU', () => {
  for (const model of ['GH100', 'GB100', 'GB202']) assert.equal(check({ model }), 'accepted', model)
  for (const model of ['LS10', 'G', 'AGH100', 'BlueField']) {
    assert.equal(check({ model }), refused('deviceKind', 'not_a_gpu'), model)
  }
})

test('another challenge', () => {
  assert.equal(check({}, { expectedNonce: keccak256('0x01') }), refused('nonce', 'nonce_differs'))
})

test("a GPU's nonce follows from the enclave: the report serves no other operator or key", () => {
  const deployment = {
    chainId: 31337,
    settlement: '0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0',
    deploymentId: keccak256('0x1234'),
  } as const
  const bindingOf = (node: Hex, key: Hex) =>
    enclaveBinding(deployment, {
      ...{ node, key, tlsKeyHash: NO_KEY_HASH, hpkeKeyHash: NO_KEY_HASH },
      ...{ anchorBlock: 1n, anchorHash: keccak256('0x01') },
    })
  const [alice, bob]: [Hex, Hex] = [`0x${'a1'.repeat(20)}`, `0x${'b0'.repeat(20)}`]
  const mine = gpuNonce(bindingOf(alice, bob))
  const asked = { bytes: { 4: [...hexToBytes(mine)] } }
  assert.equal(check(asked, { expectedNonce: mine }), 'accepted')
  for (const other of [bindingOf(bob, bob), bindingOf(alice, alice)]) {
    assert.equal(check(asked, { expectedNonce: gpuNonce(other) }), refused('nonce', 'nonce_differs'))
  }
})

test('golden values: other, missing, claimed twice, decoder off', () => {
  const golden = (changes: Partial<GoldenMeasurement>, parameters: GpuChanges = {}) =>
    check(parameters, {
      golden: [...goldenOf(3), { index: 9, values: [`0x${'00'.repeat(48)}`], ...changes }],
    })
  assert.equal(golden({}), refused('measurements', 'measurement_differs'))
  assert.equal(golden({ index: 64 }), refused('measurements', 'measurement_missing'))
  assert.equal(golden({ index: 2 }), refused('measurements', 'rim_conflict'))
  assert.equal(golden({ index: 35 }), refused('measurements', 'measurement_differs'))
  assert.equal(golden({ index: 35 }, { opaque: { 11: Uint8Array.of(0x55) } }), 'accepted')
  assert.equal(check({}, { golden: [] }), refused('measurements', 'measurement_missing'))
})

test('a reference manifest as NVIDIA writes it', () => {
  const value = (byte: number) => byte.toString(16).padStart(2, '0').repeat(48)
  const resource = (index: number, active: string, hashes: string) =>
    `<ns0:Resource type="Measurement" index="${index}" active="${active}" ${hashes} name="M" size="48"/>`
  const xml = `<SoftwareIdentity xmlns="x"><ns0:Payload>
    ${resource(0, 'False', `alternatives="1" ns2:Hash0="${value(9)}"`)}
    ${resource(1, 'True', `alternatives="1" ns2:Hash0="${value(1).toUpperCase()}"`)}
    ${resource(2, 'True', `alternatives="2" ns2:Hash0="${value(9)}" ns2:Hash1="${value(2)}"`)}
  </ns0:Payload></SoftwareIdentity>`
  const golden = readRim(xml)
  assert.deepEqual(
    golden.map(({ index, values }) => [index, values.length]),
    [
      [1, 1],
      [2, 2],
    ],
  )
  assert.equal(check({}, { golden }), 'accepted')
  assert.throws(() => readRim('<SoftwareIdentity/>'), /holds no measurements/)
  assert.throws(() => readRim(xml.replace('alternatives="2"', 'alternatives="3"')), /no SHA-384 value/)
  assert.throws(() => readRim(xml.replace('index="2"', 'index="-1"')), /odd/)
  assert.throws(() => readRim(' '.repeat(300_000)), /characters/)
})

test('one device counts once, and a denied one not at all', () => {
  const { evidence, parameters } = simulateGpu()
  const { attestation } = verifyGpu(evidence, parameters)
  assert.ok(attestation !== undefined)
  const stranger = { deviceId: keccak256('0x01') }
  assert.deepEqual(repeatedDevices([attestation, stranger]), [])
  assert.deepEqual(repeatedDevices([attestation, stranger, attestation]), [attestation.deviceId])
  assert.equal(
    check({}, { deniedDevices: [attestation.deviceId] }),
    refused('deviceAccepted', 'device_denied'),
  )
})

test("evidence as NVIDIA's tools write it, and what is none", () => {
  const { evidence } = simulateGpu()
  const pem = [...evidence.certificates]
    .reverse()
    .map(
      (der) =>
        `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`,
    )
  const entry = {
    nonce: bytesToHex(NONCE).slice(2),
    evidence: Buffer.from(evidence.report).toString('base64'),
    certificate: Buffer.from(pem.join('')).toString('base64'),
  }
  assert.deepEqual(parseGpuEvidence(JSON.stringify([entry])), [{ nonce: bytesToHex(NONCE), evidence }])
  for (const odd of [[], {}, [7], [{ evidence: entry.evidence }], [{ ...entry, evidence: '*' }]]) {
    assert.throws(() => parseGpuEvidence(JSON.stringify(odd)))
  }
  assert.throws(() => parseGpuEvidence(' '.repeat(2_000_000)), /characters/)
})

test('recorded reports of nine H100', { skip: missingFixtures('nvidia') }, () => {
  const [root] = pemFixture('nvidia/nvidia-device-root.pem') as [Uint8Array]
  assert.equal(keccak256(root), NVIDIA_ROOT_HASH)
  const roots = [{ rootHash: keccak256(root), hardwareType: HARDWARE_GPU }]
  // NVIDIA's chains end in the year 9999: at any time after 2022 only nonce and revocation make a report stale.
  const now = BigInt(Date.UTC(2026, 10, 21) / 1000)
  const gpus = recordedGpus()
  const attestations = gpus.map(({ nonce, evidence }) => {
    const verification = verifyGpu(evidence, { roots, now, expectedNonce: nonce })
    assert.equal(outcomeOf(verification), 'accepted')
    const skipped = verification.steps.filter((step) => step.outcome === 'skipped')
    assert.deepEqual(
      skipped.map(({ name }) => name),
      ['notRevoked', 'measurements'],
    )
    assert.equal(outcomeOf(verifyGpu(evidence, { roots: [], now })), invalid('rootApproved', 'root_unknown'))
    assert.equal(
      outcomeOf(verifyGpu(evidence, { roots, now, expectedNonce: keccak256('0x01') })),
      refused('nonce', 'nonce_differs'),
    )
    const early = BigInt(Date.UTC(2021, 0, 1) / 1000)
    assert.equal(
      outcomeOf(verifyGpu(evidence, { roots, now: early })),
      invalid('chainTime', 'certificate_time'),
    )
    assert.ok(verification.attestation !== undefined)
    return verification.attestation
  })
  assert.deepEqual(repeatedDevices(attestations), [])
  const [first, second, third] = gpus.map(({ evidence }) => evidence) as [
    GpuEvidence,
    GpuEvidence,
    GpuEvidence,
  ]
  const mixed = { report: first.report, certificates: second.certificates }
  assert.equal(outcomeOf(verifyGpu(mixed, { roots, now })), invalid('firmware', 'firmware_differs'))
  const swapped = { report: second.report, certificates: third.certificates }
  assert.equal(outcomeOf(verifyGpu(swapped, { roots, now })), invalid('signature', 'report_signature'))
})
