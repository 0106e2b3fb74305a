import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { test } from 'node:test'
import { p256, p384 } from '@noble/curves/nist.js'
import fc from 'fast-check'
import { bytesToHex, hexToBytes } from 'viem'
import type { Curve } from '../../src/tee/x509/ecdsa/ecdsa.ts'
import { verifyEcdsa as native } from '../../src/tee/x509/ecdsa/node.ts'
import { verifyEcdsa as portable } from '../../src/tee/x509/ecdsa/portable.ts'
import { verifyP256, verifyP384 } from '../../src/tee/x509/scheme.ts'
import { der, integer } from './derWriter.ts'

const CURVES = [
  { curve: 'P-256', octets: 32, hash: 'sha256', noble: p256, verify: verifyP256 },
  { curve: 'P-384', octets: 48, hash: 'sha384', noble: p384, verify: verifyP384 },
] as const
const message = new TextEncoder().encode('message')

const fixed = (value: bigint, octets: number) =>
  hexToBytes(`0x${value.toString(16).padStart(2 * octets, '0')}`)
const number = (bytes: Uint8Array) => BigInt(bytesToHex(bytes))
const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]))

function makeKey(curve: Curve) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve })
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  return { privateKey, point: spki.subarray(curve === 'P-256' ? -65 : -97) }
}

function signed(privateKey: KeyObject, hash: string): Uint8Array {
  return new Uint8Array(sign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' }))
}

/** What both implementations say; they must agree. */
function verdict(curve: Curve, point: Uint8Array, signature: Uint8Array): boolean {
  const says = native(curve, point, message, signature)
  assert.equal(portable(curve, point, message, signature), says, `${curve} ${bytesToHex(signature)}`)
  return says
}

for (const { curve, octets, hash, noble, verify } of CURVES) {
  const { privateKey, point } = makeKey(curve)
  const signature = signed(privateKey, hash)
  const [r, s] = [number(signature.subarray(0, octets)), number(signature.subarray(octets))]
  const { ORDER } = noble.Point.Fn
  const pair = (first: bigint, second: bigint) => join(fixed(first, octets), fixed(second, octets))

  test(`${curve}: OpenSSL and JavaScript agree on signatures, twins, and numbers out of range`, () => {
    assert.ok(verdict(curve, point, signature))
    assert.ok(verdict(curve, point, pair(r, ORDER - s)))
    const largest = (1n << BigInt(8 * octets)) - 1n
    for (const first of [0n, r, ORDER, largest]) {
      for (const second of [0n, s, ORDER, largest]) {
        assert.equal(verdict(curve, point, pair(first, second)), first === r && second === s)
      }
    }
    // r + n and s + n are the same modulo n, but no numbers that a signature may hold; they may not even fit.
    for (const [first, second] of [
      [r + ORDER, s],
      [r, s + ORDER],
    ] as const) {
      if (first <= largest && second <= largest) assert.ok(!verdict(curve, point, pair(first, second)))
    }
    for (const length of [0, 1, octets, 2 * octets - 1, 2 * octets + 1]) {
      assert.ok(!verdict(curve, point, new Uint8Array(length).fill(1)))
    }
  })

  test(`${curve}: OpenSSL and JavaScript agree on what is no key`, () => {
    const { p } = noble.Point.CURVE()
    const [x, y] = [point.subarray(1, 1 + octets), point.subarray(1 + octets)]
    const negated = join(Uint8Array.of(4), x, fixed(p - number(y), octets))
    assert.ok(!verdict(curve, negated, signature))
    const wrong: [string, Uint8Array][] = [
      ['nothing', new Uint8Array(0)],
      ['infinity', new Uint8Array(1)],
      ['zeros', join(Uint8Array.of(4), new Uint8Array(2 * octets))],
      ['not on the curve', join(Uint8Array.of(4), x, fixed(number(y) ^ 1n, octets))],
      ['x beyond the field', join(Uint8Array.of(4), fixed(p, octets), y)],
      ['short', point.subarray(0, -1)],
      ['long', join(point, Uint8Array.of(0))],
      ['hybrid', join(Uint8Array.of(6 + ((y.at(-1) as number) & 1)), x, y)],
    ]
    for (const [what, key] of wrong) {
      assert.ok(!verify(key, message, signature, 'compact'), what)
      assert.ok(!portable(curve, key, message, signature), what)
    }
    // Of keys of another length or form OpenSSL takes some; the scheme lets none of those reach it.
    for (const [what, key] of wrong) {
      if (key.length === point.length && key[0] === 4) {
        assert.ok(!native(curve, key, message, signature), what)
      }
    }
    // Compressed points are keys to both libraries, and to neither scheme here.
    const compressed = join(Uint8Array.of(2 + ((y.at(-1) as number) & 1)), x)
    assert.ok(!verify(compressed, message, signature, 'compact'))
  })

  test(`${curve}: OpenSSL and JavaScript agree on any changed signature or key`, () => {
    // The key's first octet is its form; OpenSSL takes a hybrid one, which the scheme does not let reach it.
    const coordinates = point.subarray(1)
    fc.assert(
      fc.property(
        fc.nat(signature.length + coordinates.length - 1),
        fc.integer({ min: 1, max: 255 }),
        (at, mask) => {
          const both = join(signature, coordinates).map((byte, index) => (index === at ? byte ^ mask : byte))
          const key = join(Uint8Array.of(4), both.subarray(signature.length))
          assert.ok(!verdict(curve, key, both.subarray(0, signature.length)))
        },
      ),
      { numRuns: 150 },
    )
  })

  test(`${curve}: a DER signature in its one form only`, () => {
    const of = (...integers: Uint8Array[]) => verify(point, message, der(0x30, ...integers), 'der')
    const [first, second] = [integer(r), integer(s)]
    assert.ok(of(first, second))
    assert.ok(of(first, integer(ORDER - s)))
    const padded = der(2, [0], fixed(r, octets))
    const minimal = bytesToHex(padded) === bytesToHex(first)
    assert.equal(of(padded, second), minimal)
    assert.ok(!of(first))
    assert.ok(!of(first, second, integer(1)))
    assert.ok(!of(second, first))
    assert.ok(!of(first, der(2, [])))
    assert.ok(!of(integer(r + (ORDER << 64n)), second))
    assert.ok(!of(der(2, [0x80], fixed(r, octets)), second))
    assert.ok(!verify(point, message, join(der(0x30, first, second), Uint8Array.of(0)), 'der'))
    assert.ok(!verify(point, message, der(0x31, first, second), 'der'))
    assert.ok(!verify(point, message, signature, 'der'))
    assert.ok(!verify(point, message, new Uint8Array(0), 'der'))
  })
}

test('the hash belongs to the curve', () => {
  for (const { curve, hash } of CURVES) {
    const { privateKey, point } = makeKey(curve)
    const other = hash === 'sha256' ? 'sha384' : 'sha256'
    assert.ok(verdict(curve, point, signed(privateKey, hash)))
    assert.ok(!verdict(curve, point, signed(privateKey, other)))
  }
})
