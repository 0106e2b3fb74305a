import 'reflect-metadata'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enclaveBinding, nitroMeasurement, recoverSigner, tag } from '@assay/protocol'
import * as x509 from '@peculiar/x509'
import { decode, encode } from 'cbor2'
import { bytesToHex, hexToBytes, keccak256 } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { nitroSimAttester, SIMULATED_MEASUREMENT } from '../src/enclaves/nitroSim.ts'
import { openEnclave } from '../src/enclaves/openEnclave.ts'
import { type SimulatedRoot, simulatedRoot } from '../src/enclaves/simulatedChain.ts'
import { DEPLOYMENT } from './harness.ts'

const folder = () => temporaryFolder('enclave')
const boot = (root: SimulatedRoot) => openEnclave({ attester: nitroSimAttester(root), engineClasses: 1 })
const ES384 = { name: 'ECDSA', hash: 'SHA-384' }

test('the root survives a restart, and two processes that start at once end with one', async () => {
  const dir = folder()
  const [one, other] = await Promise.all([simulatedRoot(dir), simulatedRoot(dir)])
  assert.deepEqual(one.der, other.der)
  assert.equal(one.rootHash, keccak256(one.der))
  assert.equal((await simulatedRoot(dir)).rootHash, one.rootHash)
  assert.notEqual((await simulatedRoot(folder())).rootHash, one.rootHash)
  assert.match(new x509.X509Certificate(one.der).subject, /SIMULATED/)
})

test('each boot has a new key that signs what it is given', async () => {
  const root = await simulatedRoot(folder())
  const enclave = await boot(root)
  assert.notEqual(enclave.key, (await boot(root)).key)
  const digest = tag('something')
  assert.equal(await recoverSigner(digest, await enclave.sign(digest)), enclave.key)
})

test('the document has the form of a Nitro attestation and its own chain verifies it', async () => {
  const root = await simulatedRoot(folder())
  const enclave = await boot(root)
  const node = '0x00000000000000000000000000000000000000a6'
  const anchor = { number: 7n, hash: tag('block 7') }
  const evidence = await enclave.evidence(DEPLOYMENT, node, anchor)
  const binding = enclaveBinding(DEPLOYMENT, { ...evidence, node, key: enclave.key })
  assert.deepEqual([evidence.anchorBlock, evidence.anchorHash], [anchor.number, anchor.hash])
  assert.equal(evidence.kind, 'nitro-sim')

  const cose = decode(evidence.document) as [Uint8Array, Map<never, never>, Uint8Array, Uint8Array]
  assert.equal(evidence.document[0], 0x84, 'an array of four without a tag')
  assert.equal(bytesToHex(cose[0]), '0xa1013822', 'exactly {1: -35}')
  assert.equal(evidence.document[6], 0xa0, 'an empty unprotected header')
  assert.equal(cose[3].length, 96)

  const payload = new Map(Object.entries(decode(cose[2]) as Record<string, unknown>))
  assert.deepEqual([...payload.keys()].sort(), [
    'cabundle',
    'certificate',
    'digest',
    'module_id',
    'nonce',
    'pcrs',
    'public_key',
    'timestamp',
    'user_data',
  ])
  assert.equal(payload.get('digest'), 'SHA384')
  assert.equal(bytesToHex(payload.get('user_data') as Uint8Array), binding)
  const timestamp = payload.get('timestamp') as number
  assert.ok(Math.abs(Date.now() - timestamp) < 60_000)

  const pcrs = payload.get('pcrs') as Map<number, Uint8Array>
  assert.deepEqual([...pcrs.keys()], [...Array(16).keys()])
  for (const pcr of pcrs.values()) assert.equal(pcr.length, 48)
  const [pcr0, pcr1, pcr2] = [0, 1, 2].map((index) => bytesToHex(pcrs.get(index) as Uint8Array))
  assert.ok(pcr0 && pcr1 && pcr2)
  for (const pcr of [pcr0, pcr1, pcr2]) assert.ok(BigInt(pcr) !== 0n, 'all zero would mean debug mode')
  assert.equal(nitroMeasurement(pcr0, pcr1, pcr2), SIMULATED_MEASUREMENT)
  assert.equal(enclave.measurement, SIMULATED_MEASUREMENT)

  const bundle = payload.get('cabundle') as Uint8Array[]
  assert.equal(bundle.length, 4)
  assert.deepEqual(bundle[0], root.der)
  const chain = [...bundle, payload.get('certificate') as Uint8Array].map(
    (der) => new x509.X509Certificate(Uint8Array.from(der)),
  )
  for (const [at, certificate] of chain.entries()) {
    const issuer = chain[Math.max(0, at - 1)] as x509.X509Certificate
    assert.equal(certificate.issuer, issuer.subject)
    assert.ok(
      await certificate.verify({ publicKey: issuer.publicKey, date: new Date(timestamp) }),
      `certificate ${at}`,
    )
    assert.match(certificate.subject, /SIMULATED/)
    const constraints = certificate.getExtension(x509.BasicConstraintsExtension)
    const usages = certificate.getExtension(x509.KeyUsagesExtension)
    assert.ok(constraints?.critical && usages?.critical)
    assert.deepEqual([constraints.ca, constraints.pathLength], at < 4 ? [true, 3 - at] : [false, undefined])
    const wanted = at < 4 ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature
    assert.ok((usages.usages & wanted) !== 0)
  }
  const leaf = chain[4] as x509.X509Certificate
  assert.ok(leaf.notAfter.getTime() - leaf.notBefore.getTime() <= 4 * 3_600_000)

  const leafKey = await leaf.publicKey.export({ name: 'ECDSA', namedCurve: 'P-384' }, ['verify'])
  const toSign = Uint8Array.from(encode(['Signature1', cose[0], new Uint8Array(0), cose[2]]))
  assert.ok(await crypto.subtle.verify(ES384, leafKey, Uint8Array.from(cose[3]), toSign))
  toSign[toSign.length - 1] = (toSign.at(-1) as number) ^ 1
  assert.ok(!(await crypto.subtle.verify(ES384, leafKey, Uint8Array.from(cose[3]), toSign)))
  assert.equal(hexToBytes(binding).length, 32)
})
