import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseCertificate } from '../src/tee/x509/certificate.ts'
import { signedBy } from '../src/tee/x509/chain.ts'
import { ECDSA_P256, ECDSA_P384 } from '../src/tee/x509/scheme.ts'

const fixtures = join(
  process.env.ASSAY_FIXTURES ?? join(import.meta.dirname, '../../../../shared/fixtures'),
  'tee',
)
const rootPath = join(fixtures, 'tdx/intel-sgx-root-ca.der')

test('a P-256 root: parsed in its own scheme only, signed by itself', {
  skip: existsSync(rootPath) ? false : 'fixtures absent',
}, () => {
  const bytes = new Uint8Array(readFileSync(rootPath))
  const root = parseCertificate(bytes, [ECDSA_P256])
  assert.deepEqual(root.constraints, { isCa: true, pathLength: 1 })
  assert.ok(root.keyCertSign && root.crlSign && !root.digitalSignature)
  assert.ok(signedBy(root, root))
  assert.ok(!signedBy({ ...root, tbs: root.tbs.subarray(1) }, root))
  assert.throws(() => parseCertificate(bytes, [ECDSA_P384]), /algorithm that has no place/)
  assert.throws(() => parseCertificate(new Uint8Array([...bytes, 0]), [ECDSA_P256]), /trailing/)
})
