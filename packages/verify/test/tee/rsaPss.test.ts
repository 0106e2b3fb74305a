import assert from 'node:assert/strict'
import { constants, createPublicKey, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import { RSA_PSS_SHA384 } from '../../src/tee/x509/rsaPss.ts'
import { rsaKey } from './certificateWriter.ts'

const key = rsaKey()
const publicKey = new Uint8Array(key.publicKey.export({ type: 'pkcs1', format: 'der' }))
const message = new TextEncoder().encode('RSASSA-PSS, RFC 8017 §8.1')
const PSS = constants.RSA_PKCS1_PSS_PADDING

function signed(hash: string, saltLength: number, padding: number = PSS): Uint8Array {
  return new Uint8Array(sign(hash, message, { key: key.privateKey, padding, saltLength }))
}

test('what OpenSSL signs is accepted, and only with the parameters AMD uses', () => {
  const good = signed('sha384', 48)
  assert.ok(RSA_PSS_SHA384.isKey(publicKey))
  assert.ok(RSA_PSS_SHA384.verify(publicKey, message, good))
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message.subarray(1), good))
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message, signed('sha384', 47)), 'shorter salt')
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message, signed('sha384', 0)), 'no salt')
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message, signed('sha256', 48)), 'other hash')
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message, signed('sha384', 48, constants.RSA_PKCS1_PADDING)))
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message, new Uint8Array([0, ...good])))
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message, good.subarray(1)))
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message, new Uint8Array(512)))
  assert.ok(!RSA_PSS_SHA384.verify(publicKey, message, new Uint8Array(512).fill(0xff)))
})

test('a verdict is that of OpenSSL on every changed byte', () => {
  const good = signed('sha384', 48)
  const options = { key: createPublicKey(key.privateKey), padding: PSS, saltLength: 48 }
  for (let at = 0; at < good.length; at += 37) {
    const changed = new Uint8Array(good)
    changed[at] = (changed[at] as number) ^ 1
    assert.equal(
      RSA_PSS_SHA384.verify(publicKey, message, changed),
      verify('sha384', message, options, changed),
    )
  }
})

test('a key of another size or exponent is none', () => {
  const other = new Uint8Array(publicKey)
  other[other.length - 1] = 3
  assert.ok(!RSA_PSS_SHA384.isKey(other))
  assert.ok(!RSA_PSS_SHA384.isKey(publicKey.subarray(0, -1)))
  assert.ok(!RSA_PSS_SHA384.isKey(new Uint8Array(0)))
})
