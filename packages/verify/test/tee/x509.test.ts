import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificate } from '../../src/tee/x509/certificate.ts'
import { signedBy } from '../../src/tee/x509/chain.ts'
import { parseRevocationList } from '../../src/tee/x509/crl.ts'
import { DerError, readChildren, readDer, readInteger } from '../../src/tee/x509/der.ts'
import { PemError, readPemCertificates } from '../../src/tee/x509/pem.ts'
import { ECDSA_P256, ECDSA_P384 } from '../../src/tee/x509/scheme.ts'
import { p256Key, signWith, writeCrl } from './certificateWriter.ts'
import { der, extension, fromHex, integer, named, sequence, time } from './derWriter.ts'
import { fixture, missingFixtures } from './fixtures.ts'

test('a P-256 root: parsed in its own scheme only, signed by itself', {
  skip: missingFixtures('tdx'),
}, () => {
  const bytes = fixture('tdx/intel-sgx-root-ca.der')
  const root = parseCertificate(bytes, [ECDSA_P256])
  assert.deepEqual(root.constraints, { isCa: true, pathLength: 1 })
  assert.ok(root.keyCertSign && root.crlSign && !root.digitalSignature)
  assert.ok(signedBy(root, root))
  assert.ok(!signedBy({ ...root, tbs: root.tbs.subarray(1) }, root))
  assert.throws(() => parseCertificate(bytes, [ECDSA_P384]), /algorithm that has no place/)
  assert.throws(() => parseCertificate(new Uint8Array([...bytes, 0]), [ECDSA_P256]), /trailing/)
})

const key = p256Key()
const HOUR = 3600
const at = 1_770_000_000
const fields = { issuer: 'CA', key, from: at, to: at + HOUR }
const algorithm = fromHex('300a06082a8648ce3d040302')

/** A list with other parts than an ordinary writer gives it. */
function listOf(...parts: Uint8Array[]): Uint8Array {
  const tbs = sequence(...parts)
  return sequence(tbs, algorithm, der(3, [0], signWith(key, tbs)))
}

test('a revocation list: serials, window, and no list of narrower scope', () => {
  const list = parseRevocationList(writeCrl({ ...fields, revoked: [7, 300] }), [ECDSA_P256])
  assert.deepEqual([...list.revoked], ['0x07', '0x012c'])
  assert.equal(list.thisUpdate, BigInt(at))
  assert.equal(list.nextUpdate, BigInt(at + HOUR))
  const head = [integer(1), algorithm, named('CA'), time(at), time(at + HOUR)]
  const extensions = (critical: boolean) => der(0xa0, sequence(extension('2.5.29.27', integer(1), critical)))
  const entry = (...parts: Uint8Array[]) => sequence(sequence(integer(7), time(at), ...parts))
  const reason = (critical: boolean) => sequence(extension('2.5.29.21', der(0x0a, [1]), critical))
  const read = (...parts: Uint8Array[]) => parseRevocationList(listOf(...parts), [ECDSA_P256])
  assert.equal(read(...head).revoked.size, 0)
  assert.equal(read(...head, entry(reason(false)), extensions(false)).revoked.size, 1)
  assert.throws(() => read(...head, entry(reason(true))), /critical/)
  assert.throws(() => read(...head, extensions(true)), /critical/)
  assert.throws(() => read(...head, entry(), entry()), /unexpected/)
  assert.throws(() => read(integer(0), ...head.slice(1)), /version 2/)
  assert.throws(() => read(...head.slice(0, 4)), /update times/)
  assert.throws(() => read(...head.slice(0, 4), entry()), /time/)
  assert.throws(() => parseRevocationList(writeCrl(fields), [ECDSA_P384]), /algorithm/)
  assert.throws(() => parseRevocationList(new Uint8Array(1 << 20), [ECDSA_P256]), /too large/)
})

test('PEM: one certificate after the other, base64 in its one form, nothing else', () => {
  const body = Buffer.from('certificate').toString('base64')
  const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`
  assert.deepEqual(readPemCertificates(''), [])
  assert.equal(readPemCertificates(pem(body) + pem(body)).length, 2)
  assert.equal(readPemCertificates(pem(body).replaceAll('\n', '\r\n')).length, 1)
  assert.equal(readPemCertificates(pem(`${body.slice(0, 4)}\n${body.slice(4)}`)).length, 1)
  for (const text of [
    `x${pem(body)}`,
    `${pem(body)}x`,
    pem(body).slice(0, -10),
    pem(''),
    pem(body.slice(1)),
    pem(`${body.slice(0, -2)}B=`), // bits set that nothing reads
    pem(body.replace('=', '*')),
    pem(body).replace('BEGIN', 'END'),
    pem(body).repeat(7),
    ' '.repeat(1 << 16),
  ]) {
    assert.throws(() => readPemCertificates(text), PemError, JSON.stringify(text.slice(0, 80)))
  }
})

test('DER: definite lengths in their shortest form, integers too', () => {
  const list = (length: number) => der(0x04, new Uint8Array(length))
  for (const length of [0, 127, 128, 255, 256, 65_535])
    assert.equal(readDer(list(length), 4).content.length, length)
  const longest = Uint8Array.from([4, 0x83, 1, 0, 0, ...new Uint8Array(65_536)])
  assert.equal(readDer(longest, 4).content.length, 65_536)
  for (const bytes of [
    [4, 0x81, 1, 0],
    [4, 0x82, 0, 0x80, ...new Uint8Array(128)],
    [4, 0x80, 0, 0],
    [4, 0x84, 0, 0, 0, 0],
    [4, 2, 0],
    [4],
    [0x1f, 1, 0],
    [5, 0],
  ]) {
    assert.throws(() => readDer(Uint8Array.from(bytes), 4), DerError, String(bytes))
  }
  assert.equal(readInteger(readDer(integer(128), 2)), '0x0080')
  for (const content of [[], [0, 1], [0xff, 0x80]]) {
    assert.throws(() => readInteger(readDer(der(2, content), 2)), DerError)
  }
  assert.throws(
    () => readChildren(readDer(sequence(...new Array<Uint8Array>(9).fill(integer(1))), 0x30), 8),
    /8/,
  )
})
