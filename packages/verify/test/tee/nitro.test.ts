import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  enclaveBinding,
  HARDWARE_NITRO,
  HARDWARE_NITRO_SIM,
  NO_KEY_HASH,
  nitroMeasurement,
} from '@assay/protocol'
import { decode, encode } from 'cbor2'
import fc from 'fast-check'
import { bytesToHex, type Hex, hexToBytes, keccak256 } from 'viem'
import {
  AWS_NITRO_ROOT_HASH,
  type NitroCode,
  type NitroReport,
  type NitroStepName,
  type VerifyNitroParameters,
  verifyNitro,
} from '../../src/index.ts'
import { parseCertificate } from '../../src/tee/x509/certificate.ts'
import { ECDSA_P384 } from '../../src/tee/x509/scheme.ts'
import {
  KeyUsageFlags,
  type Link,
  ordinaryChain,
  ordinaryPcrs,
  type Simulated,
  type SimulatedParameters,
  simulateNitro,
} from '../simulatedNitro.ts'
import { fixture, missingFixtures, pemFixture } from './fixtures.ts'

const at = 1_770_000_000
const userData = new Uint8Array(32).fill(7)
const good = await simulateNitro({ at, userData, nonce: Uint8Array.of(1, 2, 3) })

function rootsOf(simulated: Simulated): VerifyNitroParameters['roots'] {
  return [{ rootHash: simulated.rootHash, hardwareType: HARDWARE_NITRO_SIM }]
}

const expectations: VerifyNitroParameters = {
  roots: rootsOf(good),
  now: BigInt(at) + 10n,
  expectedUserData: bytesToHex(userData),
}

function outcomeOf(report: NitroReport): string {
  assert.equal(report.ok, report.attestation !== undefined)
  const failed = report.steps.filter((step) => step.outcome === 'failed')
  return [report.verdict, ...failed.map(({ name, code }) => `${name}:${code}`)].join(' ')
}

function check(document: Uint8Array, overrides: Partial<VerifyNitroParameters> = {}): string {
  return outcomeOf(verifyNitro(document, { ...expectations, ...overrides }))
}

async function checkMade(parameters: Omit<SimulatedParameters, 'at'>): Promise<string> {
  const made = await simulateNitro({ at, userData, ...parameters })
  return check(made.document, { roots: rootsOf(made) })
}

const invalid = (step: NitroStepName, code: NitroCode | 'unreadable') => `invalid ${step}:${code}`
const refused = (step: NitroStepName, code: NitroCode) => `valid_but_refused ${step}:${code}`
const unreadable = invalid('documentShape', 'unreadable')

/** The ordinary chain with one link changed. */
function chainWith(index: number, change: Partial<Link>): { chain: Link[] } {
  return {
    chain: ordinaryChain().map((link, position) => (position === index ? { ...link, ...change } : link)),
  }
}

/** The document with one of its four COSE members replaced. */
function withMember(index: number, value: unknown): Uint8Array {
  const parts = decode(good.document, { preferMap: true }) as unknown[]
  parts[index] = value
  return encode(parts)
}

const payloadOf = (document: Uint8Array) =>
  (decode(document, { preferMap: true }) as Uint8Array[])[2] as Uint8Array

function flipped(document: Uint8Array, position: number, bit = 0): Uint8Array {
  const copy = new Uint8Array(document)
  copy[position] = (copy[position] as number) ^ (1 << bit)
  return copy
}

test('a valid document passes every check, and its kind is that of the matched root', () => {
  const all: VerifyNitroParameters = {
    ...expectations,
    expectedNonce: '0x010203',
    expectedMeasurement: nitroMeasurement(
      ...([1, 2, 3].map((byte) => bytesToHex(new Uint8Array(48).fill(byte))) as [Hex, Hex, Hex]),
    ),
    revoked: [],
  }
  const report = verifyNitro(good.document, all)
  assert.deepEqual(
    report.steps.filter((step) => step.outcome !== 'passed'),
    [],
  )
  assert.equal(report.attestation?.kind, 'nitro-sim')
  assert.equal(report.attestation?.timestamp, BigInt(at) * 1000n)
  const kindUnder = (hardwareType: Hex) =>
    verifyNitro(good.document, { ...all, roots: [{ rootHash: good.rootHash, hardwareType }] }).attestation
      ?.kind
  assert.equal(kindUnder(HARDWARE_NITRO), 'nitro')
  assert.equal(kindUnder(keccak256('0x')), 'other')
})

test('what was not asked is skipped, never passed', () => {
  const { steps } = verifyNitro(good.document, { roots: rootsOf(good), now: BigInt(at) })
  const skipped = steps.filter((step) => step.outcome === 'skipped')
  assert.deepEqual(
    skipped.map(({ name, code }) => `${name} ${code}`),
    ['notRevoked not_asked', 'nonce not_asked', 'measurement not_asked', 'userData not_asked'],
  )
})

test('bit flips: algorithm, payload, signature', () => {
  // 84 44 a1013822 a0 59 …: the last byte of the protected header says −35.
  assert.equal(check(flipped(good.document, 5)), invalid('algorithm', 'algorithm_not_es384'))
  const altered = flipped(payloadOf(good.document), payloadOf(good.document).length - 2)
  assert.equal(check(withMember(2, altered)), invalid('signature', 'document_signature'))
  const last = good.document.length - 1
  assert.equal(check(flipped(good.document, last)), invalid('signature', 'document_signature'))
})

test('truncated, trailing, empty, too large, not four members', () => {
  assert.equal(check(good.document.subarray(0, -1)), unreadable)
  assert.equal(check(new Uint8Array([...good.document, 0])), unreadable)
  assert.equal(check(new Uint8Array(0)), unreadable)
  assert.equal(check(new Uint8Array(1 << 20)), invalid('documentShape', 'too_large'))
  for (const parts of [[1, 2, 3], [], [1, 2, 3, 4, 5], new Map(), 'text', null]) {
    assert.equal(check(encode(parts)), unreadable)
  }
})

test('duplicate key', () => {
  const map = payloadOf(good.document)
  const digest = [0x66, ...new TextEncoder().encode('digest'), 0x60]
  assert.equal(check(withMember(2, new Uint8Array([0xaa, ...map.subarray(1), ...digest]))), unreadable)
})

test('an unknown member of the payload', async () => {
  assert.equal(await checkMade({ members: { extra: 1 } }), unreadable)
  // NitroTPM of an ordinary instance signs under the same root, and calls its registers by another name.
  const ofInstance = { nitrotpm_pcrs: ordinaryPcrs(), pcrs: undefined }
  assert.equal(await checkMade({ members: ofInstance }), unreadable)
})

test('what is optional may be null, absent or full, and registers may be any that there are', async () => {
  assert.equal(await checkMade({ members: { public_key: undefined, nonce: undefined } }), 'accepted')
  const unbound = await checkMade({ members: { user_data: undefined } })
  assert.equal(unbound, refused('userData', 'user_data_differs'))
  const full = new Uint8Array(1024).fill(1)
  assert.equal(await checkMade({ members: { public_key: full, nonce: full } }), 'accepted')
  assert.equal(await checkMade({ members: { public_key: new Uint8Array(1025) } }), unreadable)
  const first = [...ordinaryPcrs()].slice(0, 3)
  for (const others of [[], [8, 31], Array.from({ length: 29 }, (_, at) => at + 3)]) {
    const pcrs = new Map([...first, ...others.map((index) => [index, new Uint8Array(48)] as const)])
    assert.equal(await checkMade({ pcrs }), 'accepted', `${pcrs.size} registers`)
  }
})

test('hostile lengths and depths end at once', () => {
  const nested = new Uint8Array(16_000).fill(0x81)
  const started = process.cpuUsage()
  for (const head of [0x5b, 0x7b, 0x9b, 0xbb]) {
    const claims = Uint8Array.of(head, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
    assert.equal(check(claims), unreadable)
    assert.equal(check(Uint8Array.of(0x84, ...claims)), unreadable)
    assert.equal(check(Uint8Array.of(head, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff)), unreadable)
  }
  assert.equal(check(nested), unreadable)
  assert.ok(process.cpuUsage(started).user < 2_000_000)
})

test('the same COSE_Sign1 in other bytes', () => {
  const { document } = good
  const encodings: [string, number[]][] = [
    ['tagged', [0xd2, ...document]],
    ['array of indefinite length', [0x9f, ...document.subarray(1), 0xff]],
    ['longer head', [0x98, 4, ...document.subarray(1)]],
    ['longer head of a member', [0x84, 0x58, 4, ...document.subarray(2)]],
    ['map of indefinite length', [...document.subarray(0, 6), 0xbf, 0xff, ...document.subarray(7)]],
  ]
  for (const [name, bytes] of encodings) {
    assert.match(check(Uint8Array.from(bytes)), /^invalid (documentShape|algorithm):/, name)
  }
})

test('only ES384, nothing unprotected, 96 bytes of signature', () => {
  const es256 = Uint8Array.of(0xa1, 0x01, 0x26)
  const none = new Uint8Array(0)
  assert.equal(check(withMember(0, es256)), invalid('algorithm', 'algorithm_not_es384'))
  assert.equal(check(withMember(0, none)), invalid('algorithm', 'algorithm_not_es384'))
  assert.equal(check(withMember(1, new Map([[4, 1]]))), invalid('algorithm', 'unprotected_header'))
  assert.equal(check(withMember(1, null)), invalid('algorithm', 'unprotected_header'))
  assert.equal(check(withMember(3, new Uint8Array(95))), invalid('algorithm', 'signature_length'))
})

test('wrong digest; registers of wrong index or length, or missing', async () => {
  const short = ordinaryPcrs().set(4, new Uint8Array(32))
  const beyond = ordinaryPcrs().set(32, new Uint8Array(48))
  const missing = ordinaryPcrs()
  missing.delete(2)
  assert.equal(await checkMade({ digest: 'SHA512' }), invalid('registers', 'digest_not_sha384'))
  assert.equal(await checkMade({ pcrs: short }), invalid('registers', 'pcr_length'))
  assert.equal(await checkMade({ pcrs: beyond }), invalid('registers', 'pcr_unknown'))
  assert.equal(await checkMade({ pcrs: missing }), invalid('registers', 'pcr_missing'))
})

test('simulated root under a production policy', () => {
  const production = [{ rootHash: AWS_NITRO_ROOT_HASH, hardwareType: HARDWARE_NITRO }]
  assert.equal(check(good.document, { roots: production }), invalid('rootApproved', 'root_unknown'))
  assert.equal(check(good.document, { roots: [] }), invalid('rootApproved', 'root_unknown'))
})

test('real root + simulated chain', async () => {
  const graft = async (first: Uint8Array) =>
    (
      await simulateNitro({
        at,
        userData,
        rearrange: (certificates) => [first, ...certificates.slice(1)],
      })
    ).document
  // The root that counts is the first certificate; what hangs below it must be its own.
  const stranger = await simulateNitro({ at, userData })
  const grafted = await graft(stranger.certificates[0] as Uint8Array)
  assert.equal(check(grafted, { roots: rootsOf(stranger) }), invalid('chainLinks', 'chain_broken'))
  if (missingFixtures('nitro') === false) {
    const [aws] = pemFixture('nitro/aws-nitro-root-g1.pem') as [Uint8Array]
    const roots = [{ rootHash: AWS_NITRO_ROOT_HASH, hardwareType: HARDWARE_NITRO }]
    assert.equal(check(await graft(aws), { roots }), invalid('chainLinks', 'chain_broken'))
  }
})

const chainCases: [string, Omit<SimulatedParameters, 'at'>, NitroCode | 'unreadable'][] = [
  [
    'reordered intermediates',
    { rearrange: ([a, b, c, ...rest]) => [a, c, b, ...rest] as Uint8Array[] },
    'chain_broken',
  ],
  ['missing intermediate', { rearrange: ([a, , ...rest]) => [a, ...rest] as Uint8Array[] }, 'chain_broken'],
  ['no intermediates at all', { rearrange: (all) => [all[0], all[4]] as Uint8Array[] }, 'chain_broken'],
  ['CA leaf', chainWith(4, { ca: true }), 'leaf_is_ca'],
  ['leaf that may sign certificates', chainWith(4, { keyUsage: KeyUsageFlags.keyCertSign }), 'leaf_is_ca'],
  [
    'leaf that may not sign documents',
    chainWith(4, { keyUsage: KeyUsageFlags.keyAgreement }),
    'leaf_may_not_sign',
  ],
  ['long leaf', chainWith(4, { to: 5 * 3600 }), 'leaf_lives_long'],
  ['pathLen too small', chainWith(1, { pathLength: 1 }), 'chain_broken'],
  ['forged intermediate', chainWith(2, { forged: true }), 'chain_broken'],
  ['forged leaf', chainWith(4, { forged: true }), 'chain_broken'],
  ['other issuer name', chainWith(2, { issuer: 'somebody else' }), 'chain_broken'],
  ['root that is no CA', chainWith(0, { ca: false }), 'chain_broken'],
  // Its pathLen is then a contradiction within one extension.
  ['intermediate that is no CA', chainWith(2, { ca: false }), 'unreadable'],
  [
    'intermediate that may not sign certificates',
    chainWith(2, { keyUsage: KeyUsageFlags.digitalSignature }),
    'chain_broken',
  ],
  ['unknown critical extension', chainWith(1, { unknownCritical: true }), 'unreadable'],
]
for (const [name, parameters, code] of chainCases) {
  test(name, async () => assert.equal(await checkMade(parameters), invalid('chainLinks', code)))
}

test('expired leaf, and every other certificate, at the time of the document', async () => {
  const expired = invalid('chainTime', 'certificate_time')
  assert.equal(await checkMade(chainWith(4, { to: -1 })), expired)
  assert.equal(await checkMade(chainWith(2, { from: 1 })), expired)
  assert.equal(await checkMade(chainWith(0, { to: -1 })), expired)
})

test('revoked leaf, by issuer and serial, however the serial is written', () => {
  const certificate = parseCertificate(good.certificates[4] as Uint8Array, [ECDSA_P384])
  const { issuer, serial } = certificate
  const revoked = invalid('notRevoked', 'revoked')
  assert.equal(check(good.document, { revoked: [{ issuer, serial }] }), revoked)
  const loud: Hex = `0x0000${serial.slice(2).toUpperCase()}`
  assert.equal(check(good.document, { revoked: [{ issuer, serial: loud }] }), revoked)
  assert.equal(check(good.document, { revoked: [{ issuer, serial: '0x01' }] }), 'accepted')
  const { subject } = certificate
  assert.equal(check(good.document, { revoked: [{ issuer: subject, serial }] }), 'accepted')
})

test('the twin signature (r, n − s) is the same document', () => {
  const signature = (decode(good.document, { preferMap: true }) as Uint8Array[])[3] as Uint8Array
  const order =
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n
  const s = order - BigInt(bytesToHex(signature.subarray(48)))
  const half = Buffer.from(s.toString(16).padStart(96, '0'), 'hex')
  const twin = withMember(3, new Uint8Array([...signature.subarray(0, 48), ...half]))
  assert.notDeepEqual(twin, good.document)
  const [first, second] = [good.document, twin].map((bytes) => verifyNitro(bytes, expectations).attestation)
  assert.ok(first !== undefined && second !== undefined)
  assert.equal(first.payloadHash, second.payloadHash)
})

test('debug', async () => {
  const zero = new Uint8Array(48)
  const debug = ordinaryPcrs().set(0, zero).set(1, zero).set(2, zero)
  assert.equal(await checkMade({ pcrs: debug }), refused('notDebug', 'debug_enabled'))
})

test('stale and future', () => {
  assert.equal(check(good.document, { now: BigInt(at) + 300n }), 'accepted')
  assert.equal(check(good.document, { now: BigInt(at) + 301n }), refused('fresh', 'stale'))
  assert.equal(check(good.document, { now: BigInt(at) - 60n }), 'accepted')
  assert.equal(check(good.document, { now: BigInt(at) - 61n }), refused('fresh', 'from_future'))
})

test('wrong nonce', () => {
  assert.equal(check(good.document, { expectedNonce: '0x010204' }), refused('nonce', 'nonce_differs'))
})

test('wrong PCR', () => {
  const other = { expectedMeasurement: keccak256('0x01') }
  assert.equal(check(good.document, other), refused('measurement', 'measurement_differs'))
})

test('wrong key, TLS key or operator: one attestation does not serve two', async () => {
  const deployment = {
    chainId: 31337,
    settlement: '0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0',
    deploymentId: keccak256('0x1234'),
  } as const
  const mine = {
    node: '0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc',
    key: '0x90f79bf6eb2c4f870365e785982e1f101e93b906',
    tlsKeyHash: NO_KEY_HASH,
    hpkeKeyHash: NO_KEY_HASH,
    anchorBlock: 1n,
    anchorHash: keccak256('0x01'),
  } as const
  const made = await simulateNitro({ at, userData: hexToBytes(enclaveBinding(deployment, mine)) })
  const under = (change: Partial<Parameters<typeof enclaveBinding>[1]>) =>
    check(made.document, {
      roots: rootsOf(made),
      expectedUserData: enclaveBinding(deployment, { ...mine, ...change }),
    })
  assert.equal(under({}), 'accepted')
  const other = refused('userData', 'user_data_differs')
  assert.equal(under({ node: mine.key }), other)
  assert.equal(under({ key: mine.node }), other)
  assert.equal(under({ tlsKeyHash: keccak256('0x01') }), other)
  assert.equal(under({ hpkeKeyHash: keccak256('0x01') }), other)
})

test('no bit of a document may change: a failed step, never an exception', () => {
  fc.assert(
    fc.property(fc.nat(good.document.length - 1), fc.nat(7), (position, bit) => {
      assert.match(check(flipped(good.document, position, bit)), /^invalid /)
    }),
    { numRuns: 120 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(check(bytes), unreadable)
    }),
  )
})

test('recorded AWS documents', { skip: missingFixtures('nitro') }, async (t) => {
  const [aws] = pemFixture('nitro/aws-nitro-root-g1.pem') as [Uint8Array]
  assert.equal(keccak256(aws), AWS_NITRO_ROOT_HASH)
  const roots = [{ rootHash: AWS_NITRO_ROOT_HASH, hardwareType: HARDWARE_NITRO }]
  const today = BigInt(Date.UTC(2026, 10, 21) / 1000)
  const debug = refused('notDebug', 'debug_enabled')
  const recorded: [string, bigint, string][] = [
    ['dstack-2025-12-25.bin', 1_766_668_537n, 'accepted'],
    ['evervault-valid-beta.bin', 1_665_651_482n, 'accepted'],
    ['marlin-sample1.bin', 1_708_930_921n, 'accepted'],
    ['marlin-script.bin', 1_712_732_941n, 'accepted'],
    ['og-evm-2026-02-12.bin', 1_770_918_962n, 'accepted'],
    ['evervault-debug-beta.bin', 1_665_582_606n, debug],
  ]
  for (const [name, time, expected] of recorded) {
    await t.test(name, () => {
      const bytes = fixture(`nitro/${name}`)
      const report = verifyNitro(bytes, { roots, now: time })
      assert.equal(outcomeOf(report), expected)
      if (expected === 'accepted') assert.equal(report.attestation?.kind, 'nitro')
      assert.equal(
        outcomeOf(verifyNitro(bytes, { roots: rootsOf(good), now: time })),
        invalid('rootApproved', 'root_unknown'),
      )
      const late = expected === 'accepted' ? refused('fresh', 'stale') : `${debug} fresh:stale`
      assert.equal(outcomeOf(verifyNitro(bytes, { roots, now: time + 302n })), late)
      assert.equal(outcomeOf(verifyNitro(bytes, { roots, now: today })), late)
      for (let position = 0; position < bytes.length; position += 311) {
        const changed = verifyNitro(flipped(bytes, position, 4), { roots, now: time })
        assert.match(outcomeOf(changed), /^invalid /, `byte ${position}`)
      }
    })
  }
})
