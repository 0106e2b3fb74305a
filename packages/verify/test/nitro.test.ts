import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { HARDWARE_NITRO, HARDWARE_NITRO_SIM, nitroMeasurement } from '@assay/protocol'
import { decode, encode } from 'cbor2'
import fc from 'fast-check'
import { bytesToHex, type Hex, keccak256 } from 'viem'
import {
  type NitroReport,
  type NitroStepName,
  type VerifyNitroParameters,
  verifyNitro,
} from '../src/index.ts'
import { parseCertificate } from '../src/tee/x509/certificate.ts'
import { ECDSA_P384 } from '../src/tee/x509/scheme.ts'
import {
  KeyUsageFlags,
  type Link,
  ordinaryChain,
  ordinaryPcrs,
  type Simulated,
  type SimulatedParameters,
  simulateNitro,
} from './simulatedNitro.ts'

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

function failureOf(report: NitroReport): NitroStepName | undefined {
  assert.equal(report.ok, report.attestation !== undefined)
  return report.steps.find((step) => step.outcome === 'failed')?.name
}

function check(
  document: Uint8Array,
  overrides: Partial<VerifyNitroParameters> = {},
): NitroStepName | undefined {
  return failureOf(verifyNitro(document, { ...expectations, ...overrides }))
}

async function checkMade(parameters: Omit<SimulatedParameters, 'at'>): Promise<NitroStepName | undefined> {
  const made = await simulateNitro({ at, userData, ...parameters })
  return check(made.document, { roots: rootsOf(made) })
}

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

test('a valid document passes every check, and its kind is that of the matched root', () => {
  const report = verifyNitro(good.document, {
    ...expectations,
    expectedNonce: '0x010203',
    expectedMeasurement: nitroMeasurement(
      ...([1, 2, 3].map((byte) => bytesToHex(new Uint8Array(48).fill(byte))) as [Hex, Hex, Hex]),
    ),
  })
  assert.deepEqual(
    report.steps.filter((step) => step.outcome !== 'passed'),
    [],
  )
  assert.equal(report.attestation?.kind, 'nitro-sim')
  assert.equal(report.attestation?.timestamp, BigInt(at) * 1000n)
  const asReal = verifyNitro(good.document, {
    ...expectations,
    roots: [{ rootHash: good.rootHash, hardwareType: HARDWARE_NITRO }],
  })
  assert.equal(asReal.attestation?.kind, 'nitro')
})

test('1: size, strict CBOR and shape', () => {
  const trailing = new Uint8Array([...good.document, 0])
  assert.equal(check(trailing), 'documentShape')
  assert.equal(check(new Uint8Array(0)), 'documentShape')
  assert.equal(check(good.document.subarray(0, -1)), 'documentShape')
  assert.equal(check(new Uint8Array(1 << 20)), 'documentShape')
  assert.equal(check(new Uint8Array([0xd2, ...good.document])), 'documentShape')
  assert.equal(check(encode([1, 2, 3])), 'documentShape')
  const parts = decode(good.document, { preferMap: true }) as [unknown, unknown, Uint8Array]
  const map = new Uint8Array(parts[2])
  const duplicate = new Uint8Array([
    0xaa,
    ...map.subarray(1),
    0x66,
    ...new TextEncoder().encode('digest'),
    0x60,
  ])
  assert.equal(check(withMember(2, duplicate)), 'documentShape')
})

test('1: an unknown member of the payload is refused', async () => {
  assert.equal(await checkMade({ extraMember: true }), 'documentShape')
})

test('2: only ES384, nothing unprotected, 96 bytes of signature', () => {
  assert.equal(check(withMember(0, Uint8Array.of(0xa1, 0x01, 0x26))), 'algorithm')
  assert.equal(check(withMember(0, new Uint8Array(0))), 'algorithm')
  assert.equal(check(withMember(1, new Map([[4, 1]]))), 'algorithm')
  assert.equal(check(withMember(3, new Uint8Array(95))), 'algorithm')
})

test('3: digest and registers', async () => {
  const short = ordinaryPcrs().set(4, new Uint8Array(32))
  const beyond = ordinaryPcrs().set(32, new Uint8Array(48))
  const missing = ordinaryPcrs()
  missing.delete(2)
  assert.equal(await checkMade({ digest: 'SHA512' }), 'registers')
  assert.equal(await checkMade({ pcrs: short }), 'registers')
  assert.equal(await checkMade({ pcrs: beyond }), 'registers')
  assert.equal(await checkMade({ pcrs: missing }), 'registers')
})

test('4: a root that nobody approved', () => {
  assert.equal(check(good.document, { roots: [] }), 'rootApproved')
  const other = { rootHash: keccak256('0x01'), hardwareType: HARDWARE_NITRO }
  assert.equal(check(good.document, { roots: [other] }), 'rootApproved')
})

test('5: links, CA flags, pathLen, key usage, critical extensions, the leaf', async () => {
  const cases: [string, Omit<SimulatedParameters, 'at'>][] = [
    ['forged intermediate', chainWith(2, { forged: true })],
    ['forged leaf', chainWith(4, { forged: true })],
    ['other issuer name', chainWith(2, { issuer: 'somebody else' })],
    ['intermediate is no CA', chainWith(2, { ca: false })],
    ['intermediate may not sign', chainWith(2, { keyUsage: KeyUsageFlags.digitalSignature })],
    ['pathLen too small', chainWith(1, { pathLength: 1 })],
    ['unknown critical extension', chainWith(1, { unknownCritical: true })],
    ['leaf is a CA', chainWith(4, { ca: true })],
    ['leaf may not sign documents', chainWith(4, { keyUsage: KeyUsageFlags.keyAgreement })],
    ['leaf lives too long', chainWith(4, { to: 5 * 3600 })],
    ['reordered', { rearrange: ([a, b, c, ...rest]) => [a, c, b, ...rest] as Uint8Array[] }],
    ['missing intermediate', { rearrange: ([a, , ...rest]) => [a, ...rest] as Uint8Array[] }],
  ]
  for (const [name, parameters] of cases) assert.equal(await checkMade(parameters), 'chainLinks', name)
  // The real root's hash over a simulated chain: the first certificate is what counts.
  const stranger = await simulateNitro({ at, userData })
  const grafted = await simulateNitro({
    at,
    userData,
    rearrange: (certificates) => [stranger.certificates[0], ...certificates.slice(1)] as Uint8Array[],
  })
  assert.equal(check(grafted.document, { roots: rootsOf(stranger) }), 'chainLinks')
})

test('6: every certificate holds at the time of the document', async () => {
  assert.equal(await checkMade(chainWith(4, { to: -1 })), 'chainTime')
  assert.equal(await checkMade(chainWith(2, { from: 1 })), 'chainTime')
  assert.equal(await checkMade(chainWith(0, { to: -1 })), 'chainTime')
})

test('7: revocation by issuer and serial', () => {
  const { issuer, serial } = parseCertificate(good.certificates[4] as Uint8Array, [ECDSA_P384])
  assert.equal(check(good.document, { revoked: [{ issuer, serial }] }), 'notRevoked')
  assert.equal(check(good.document, { revoked: [{ issuer, serial: '0x01' }] }), undefined)
})

test('8: the signature, and its twin, which must not pass for a second document', () => {
  const parts = decode(good.document, { preferMap: true }) as [unknown, unknown, Uint8Array, Uint8Array]
  const [, , payload, signature] = parts
  const altered = new Uint8Array(payload)
  const where = altered.length - 2
  altered[where] = (altered[where] as number) ^ 1
  assert.equal(check(withMember(2, altered)), 'signature')
  const order =
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n
  const s = order - BigInt(bytesToHex(signature.subarray(48)))
  const twin = withMember(
    3,
    new Uint8Array([...signature.subarray(0, 48), ...Buffer.from(s.toString(16).padStart(96, '0'), 'hex')]),
  )
  const [first, second] = [good.document, twin].map((bytes) => verifyNitro(bytes, expectations).attestation)
  assert.ok(first !== undefined && second !== undefined)
  assert.equal(first.payloadHash, second.payloadHash)
})

test('9: debug mode', async () => {
  const zero = new Uint8Array(48)
  assert.equal(await checkMade({ pcrs: ordinaryPcrs().set(0, zero).set(1, zero).set(2, zero) }), 'notDebug')
})

test('10: age and skew', () => {
  assert.equal(check(good.document, { now: BigInt(at) + 300n }), undefined)
  assert.equal(check(good.document, { now: BigInt(at) + 301n }), 'fresh')
  assert.equal(check(good.document, { now: BigInt(at) - 60n }), undefined)
  assert.equal(check(good.document, { now: BigInt(at) - 61n }), 'fresh')
  assert.equal(check(good.document, { expectedNonce: '0x010204' }), 'nonce')
})

test('11: other code, other key or operator', () => {
  assert.equal(check(good.document, { expectedMeasurement: keccak256('0x01') }), 'measurement')
  assert.equal(check(good.document, { expectedUserData: keccak256('0x01') }), 'userData')
})

test('no bit of a document may change: a failed step, never an exception', () => {
  fc.assert(
    fc.property(fc.nat(good.document.length - 1), fc.nat(7), (position, bit) => {
      const copy = new Uint8Array(good.document)
      copy[position] = (copy[position] as number) ^ (1 << bit)
      assert.notEqual(check(copy), undefined)
    }),
    { numRuns: 400 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(check(bytes), 'documentShape')
    }),
  )
})

const fixtures = process.env.ASSAY_FIXTURES ?? join(import.meta.dirname, '../../../../shared/fixtures')
const folder = join(fixtures, 'tee/nitro')
const present = existsSync(folder)

test('recorded AWS documents', {
  skip: present ? false : 'recorded evidence is not on this machine',
}, async (t) => {
  const pem = readFileSync(join(folder, 'aws-nitro-root-g1.pem'), 'utf8')
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  const roots = [{ rootHash: keccak256(der), hardwareType: HARDWARE_NITRO }]
  const recorded: [string, bigint, NitroStepName | undefined][] = [
    ['dstack-2025-12-25.bin', 1_766_668_537n, undefined],
    ['evervault-valid-beta.bin', 1_665_651_482n, undefined],
    ['marlin-sample1.bin', 1_708_930_921n, undefined],
    ['marlin-script.bin', 1_712_732_941n, undefined],
    ['og-evm-2026-02-12.bin', 1_770_918_962n, undefined],
    ['evervault-debug-beta.bin', 1_665_582_606n, 'notDebug'],
  ]
  for (const [name, time, expected] of recorded) {
    await t.test(name, () => {
      const bytes = new Uint8Array(readFileSync(join(folder, name)))
      const report = verifyNitro(bytes, { roots, now: time })
      assert.equal(failureOf(report), expected)
      if (expected === undefined) assert.equal(report.attestation?.kind, 'nitro')
      assert.equal(failureOf(verifyNitro(bytes, { roots: rootsOf(good), now: time })), 'rootApproved')
      if (expected === undefined) {
        assert.equal(failureOf(verifyNitro(bytes, { roots, now: time + 302n })), 'fresh')
        for (let position = 0; position < bytes.length; position += 211) {
          const copy = new Uint8Array(bytes)
          copy[position] = (copy[position] as number) ^ 0x10
          assert.notEqual(failureOf(verifyNitro(copy, { roots, now: time })), undefined, `byte ${position}`)
        }
      }
    })
  }
})
