import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificate } from '../../src/tee/x509/certificate.ts'
import { signedBy } from '../../src/tee/x509/chain.ts'
import { ECDSA_P256, ECDSA_P384 } from '../../src/tee/x509/scheme.ts'
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
