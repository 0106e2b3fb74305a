import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalJsonBytes, type Json, parseCanonicalJson } from '@assay/protocol'
import { decodeDcapEvidence, encodeDcapEvidence, readDcapCollateral, verifyDcap } from '../../src/index.ts'
import { simulateDcap } from './simulatedDcap.ts'

const { quote, collateral, parameters } = simulateDcap()
const document = encodeDcapEvidence({ quote, collateral })

/** The document with members replaced, or left out where undefined. */
function withMembers(changes: Record<string, Json | undefined>): Uint8Array {
  const members = { ...(parseCanonicalJson(document, 1 << 20) as Record<string, Json>), ...changes }
  return canonicalJsonBytes(
    Object.fromEntries(
      Object.entries(members).filter((entry): entry is [string, Json] => entry[1] !== undefined),
    ),
  )
}

test('evidence survives its document, byte for byte', () => {
  for (const eventLog of [undefined, '[{"imr":0}]']) {
    const bytes = encodeDcapEvidence({ quote, collateral, eventLog })
    const read = decodeDcapEvidence(bytes)
    assert.deepEqual(read, { quote, collateral, eventLog })
    assert.deepEqual(encodeDcapEvidence(read), bytes)
    assert.ok(verifyDcap(read.quote, read.collateral, parameters).ok)
  }
})

test('a document of another form is refused', () => {
  const read = (bytes: Uint8Array) => () => decodeDcapEvidence(bytes)
  assert.throws(read(new Uint8Array(0)), { code: 'malformed' })
  assert.throws(read(new Uint8Array(1 << 20)), { code: 'malformed' })
  assert.throws(read(new Uint8Array([...document, 0x20])), { code: 'non_canonical' })
  assert.throws(read(withMembers({ format: 'assay-dcap/2' })), { code: 'malformed' })
  assert.throws(read(withMembers({ extra: 1 })), { code: 'malformed' })
  assert.throws(read(withMembers({ collateral: undefined })), { code: 'malformed' })
  assert.throws(read(withMembers({ collateral: {} })), { code: 'malformed' })
  assert.throws(read(withMembers({ quote: 'AB==' })), { code: 'non_canonical' })
  assert.throws(read(withMembers({ quote: 1 })), { code: 'malformed' })
  assert.throws(read(withMembers({ eventLog: 'x'.repeat(1 << 18) })), { code: 'malformed' })
})

test('collateral as dstack and dcap-qvl keep it: every member in its form, or an error that names it', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const json: Record<string, unknown> = {
    pck_crl_issuer_chain: collateral.pckCrlIssuerChain,
    root_ca_crl: hex(collateral.rootCaCrl),
    pck_crl: hex(collateral.pckCrl),
    tcb_info_issuer_chain: collateral.tcbInfoIssuerChain,
    tcb_info: collateral.tcbInfo,
    tcb_info_signature: hex(collateral.tcbInfoSignature),
    qe_identity_issuer_chain: collateral.qeIdentityIssuerChain,
    qe_identity: collateral.qeIdentity,
    qe_identity_signature: hex(collateral.qeIdentitySignature),
  }
  assert.deepEqual(readDcapCollateral({ ...json, extra: 'ignored', pck_certificate_chain: null }), collateral)
  const withChain = { ...collateral, pckChain: 'a chain' }
  assert.deepEqual(readDcapCollateral({ ...json, pck_certificate_chain: 'a chain' }), withChain)
  const evidence = { quote, collateral: withChain, eventLog: undefined }
  assert.deepEqual(decodeDcapEvidence(encodeDcapEvidence(evidence)), evidence)
  for (const name of Object.keys(json)) {
    for (const value of [undefined, null, 7, 'x'.repeat(1 << 21)]) {
      assert.throws(() => readDcapCollateral({ ...json, [name]: value }), new RegExp(name))
    }
  }
  for (const value of ['0', 'zz', `0x${json.pck_crl}`]) {
    assert.throws(() => readDcapCollateral({ ...json, pck_crl: value }), /pck_crl/)
  }
  for (const value of [null, [], 'text']) assert.throws(() => readDcapCollateral(value), /collateral/)
})
