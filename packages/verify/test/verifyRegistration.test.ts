import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  enclaveBinding,
  evidenceFromJson,
  HARDWARE_NITRO,
  HARDWARE_SGX,
  HARDWARE_TDX,
  parseCanonicalJson,
  registrationIdOf,
} from '@assay/protocol'
import { keccak256 } from 'viem'
import { type VerifyRegistrationParameters, verifyRegistration } from '../src/index.ts'
import { verifyEvidence } from '../src/tee/verifyEvidence.ts'
import {
  anchor,
  deployment,
  hashes,
  key,
  node,
  now,
  open,
  outcome,
  propose,
  proposeDcap,
  proposeSnp,
  teeRegistry,
} from './proposals.ts'
import { ordinaryPcrs } from './simulatedNitro.ts'
import { DCAP_AT } from './tee/simulatedDcap.ts'
import { SNP_AT } from './tee/simulatedSnp.ts'

test('an honest proposal is valid', async () => {
  assert.equal(outcome(verifyRegistration(await propose())), 'valid ok')
})

test('a bad attestation is voted down, and the check that failed is named', async () => {
  const zero = new Uint8Array(48)
  const debug = ordinaryPcrs().set(0, zero).set(1, zero).set(2, zero)
  const invalid = async (...parameters: Parameters<typeof propose>) =>
    outcome(verifyRegistration(await propose(...parameters)))
  assert.equal(await invalid({ pcrs: debug }), 'invalid attestation_invalid notDebug')
  assert.equal(await invalid({ userData: new Uint8Array(32) }), 'invalid attestation_invalid userData')
  assert.equal(await invalid({ at: Number(now) - 301 }), 'invalid attestation_invalid fresh')
  assert.equal(await invalid({ at: Number(now) + 61 }), 'invalid attestation_invalid fresh')
  const other = keccak256('0x01')
  assert.equal(
    await invalid({}, { registration: { measurement: other } }),
    'invalid attestation_invalid measurement',
  )
  assert.equal(
    await invalid({}, { registration: { rootHash: other } }),
    'invalid attestation_invalid rootApproved',
  )
  assert.equal(
    await invalid({}, { registration: { node: '0x00000000000000000000000000000000000000aa' } }),
    'invalid attestation_invalid userData',
  )
  assert.equal(await invalid({}, { evidence: { tlsKeyHash: other } }), 'invalid attestation_invalid userData')
})

test('what the registry did not approve is voted down', async () => {
  const proposal = await propose()
  const never = { validFrom: 0n, revokedAt: 0n }
  const revoked = { validFrom: 1n, revokedAt: now }
  const cases: [Partial<VerifyRegistrationParameters>, string][] = [
    [{ hardware: never }, 'invalid hardware_not_approved'],
    [{ root: revoked }, 'invalid root_not_approved'],
    [{ measurement: { ...revoked, engineClasses: 1 } }, 'invalid measurement_not_approved'],
    [{ measurement: { ...open, engineClasses: 2 } }, 'invalid engine_class_not_allowed'],
    [{ registrationId: keccak256('0x') }, 'invalid registration_differs'],
    [{ teeRegistry: node }, 'invalid registration_differs'],
  ]
  for (const [change, expected] of cases) {
    assert.equal(outcome(verifyRegistration({ ...proposal, ...change })), expected)
  }
})

test('simulated evidence cannot be registered as real hardware', async () => {
  const claimed = { registration: { hardwareType: HARDWARE_NITRO } }
  assert.equal(outcome(verifyRegistration(await propose({}, claimed))), 'invalid hardware_unknown')
  // Even if it calls itself real, the claimed root is what is looked up, and the registry has it under nitro-sim only.
  const proposal = await propose({}, { ...claimed, evidence: { kind: 'nitro' } })
  const root = { validFrom: 0n, revokedAt: 0n }
  assert.equal(outcome(verifyRegistration({ ...proposal, root })), 'invalid root_not_approved')
})

test('other bytes than those registered give no vote; registered garbage is voted down', async () => {
  const proposal = await propose()
  const foreign = verifyRegistration({ ...proposal, evidence: new Uint8Array(10) })
  assert.equal(outcome(foreign), 'unknown evidence_foreign')
  const garbage = new TextEncoder().encode('{"kind":"nitro-sim"}')
  const registration = { ...proposal.registration, evidenceHash: keccak256(garbage) }
  const registrationId = registrationIdOf(deployment.chainId, teeRegistry, registration)
  const report = verifyRegistration({ ...proposal, registration, registrationId, evidence: garbage })
  assert.equal(outcome(report), 'invalid evidence_malformed')
})

test('trust domains and enclaves are registered by quote and collateral', async () => {
  for (const kind of ['tdx', 'sgx'] as const) {
    const judge = async (...parameters: [Parameters<typeof proposeDcap>[1]?]) =>
      outcome(verifyRegistration(await proposeDcap(kind, ...parameters)))
    assert.equal(await judge(), 'valid ok')
    const failed = 'invalid attestation_invalid'
    assert.equal(await judge({ dcap: { quote: { [kind === 'tdx' ? 120 : 48]: [7] } } }), `${failed} notDebug`)
    const elsewhere = { quote: { [kind === 'tdx' ? 520 : 320]: [1, 2, 3] } }
    assert.equal(await judge({ dcap: elsewhere }), `${failed} reportData`)
    const outdated = { componentSvns: new Array<number>(16).fill(2) }
    assert.equal(await judge({ dcap: outdated }), `${failed} statusAccepted`)
    assert.equal(await judge({ registration: { measurement: keccak256('0x01') } }), `${failed} measurement`)
    assert.equal(await judge({ registration: { rootHash: keccak256('0x01') } }), `${failed} pckChain`)
    assert.equal(await judge({ evidence: { document: Uint8Array.of(0x7b) } }), failed)
    // The same root vouches for both, but a key is registered as one of them.
    const other = kind === 'tdx' ? HARDWARE_SGX : HARDWARE_TDX
    assert.equal(await judge({ registration: { hardwareType: other } }), 'invalid hardware_unknown')
    const disguised = {
      registration: { hardwareType: other },
      evidence: { kind: kind === 'tdx' ? 'sgx' : 'tdx' },
    }
    assert.equal(await judge(disguised), `${failed} pckChain`)
  }
})

test('the event log that comes with a quote replays to its registers, or the quote is refused', async () => {
  const judge = async (...parameters: [Parameters<typeof proposeDcap>[1]]) =>
    outcome(verifyRegistration(await proposeDcap('tdx', ...parameters)))
  const zeros = { quote: { 328: new Array<number>(192).fill(0) } }
  assert.equal(await judge({ dcap: zeros, eventLog: '[]' }), 'valid ok')
  const event = { imr: 3, event_type: 0x08000001, digest: '', event: 'compose-hash', event_payload: 'c0ffee' }
  const failed = 'invalid attestation_invalid'
  assert.equal(await judge({ dcap: zeros, eventLog: JSON.stringify([event]) }), `${failed} eventLog`)
  assert.equal(await judge({ dcap: zeros, eventLog: '[{"imr":7}]' }), failed)
})

test('SEV-SNP guests are registered by report and chain, but not on Milan', async () => {
  const judge = async (...parameters: Parameters<typeof proposeSnp>) =>
    outcome(verifyRegistration(await proposeSnp(...parameters)))
  assert.equal(await judge(), 'valid ok')
  assert.equal(await judge({ snp: { product: 'Turin', crl: {} } }), 'valid ok')
  const failed = 'invalid attestation_invalid'
  assert.equal(await judge({ snp: { product: 'Milan' } }), `${failed} productAccepted`)
  assert.equal(await judge({ snp: { signer: 'VLEK' } }), `${failed} signerAccepted`)
  assert.equal(await judge({ snp: { report: { 10: [0x0b] } } }), `${failed} notDebug`)
  assert.equal(await judge({ snp: { report: { 80: [1, 2, 3] } } }), `${failed} reportData`)
  assert.equal(await judge({ snp: { crl: { revoked: [2] } } }), `${failed} notRevoked`)
  assert.equal(await judge({ registration: { measurement: keccak256('0x01') } }), `${failed} measurement`)
  assert.equal(await judge({ registration: { rootHash: keccak256('0x01') } }), `${failed} rootApproved`)
  assert.equal(await judge({ evidence: { document: Uint8Array.of(0x7b) } }), failed)
  assert.equal(await judge({ registration: { hardwareType: HARDWARE_TDX } }), 'invalid hardware_unknown')
})

test('a revocation list that ran out between vote and admission still proves a key that was voted in', async () => {
  const { registration, evidence } = await proposeSnp({ snp: { crl: {} } })
  const { kind, document } = evidenceFromJson(parseCanonicalJson(evidence, 1 << 20))
  const userData = enclaveBinding(deployment, { node, key, ...hashes })
  const holds = (at: number, earlier: bigint) =>
    verifyEvidence({ kind, document }, { ...registration, userData, now: BigInt(at), earlier })?.ok
  const end = SNP_AT + 100
  assert.equal(holds(end, 0n), true)
  assert.equal(holds(end + 1, 0n), false)
  assert.equal(holds(end + 150, 150n), true)
  assert.equal(holds(end + 151, 150n), false)
})

test('collateral that ran out between vote and admission still proves a key that was voted in', async () => {
  const { registration, evidence } = await proposeDcap('tdx')
  const { kind, document } = evidenceFromJson(parseCanonicalJson(evidence, 1 << 20))
  const claims = {
    ...registration,
    userData: enclaveBinding(deployment, { node, key, ...hashes }),
    earlier: 86_400n,
  }
  const end = BigInt(DCAP_AT + 29 * 86_400)
  assert.equal(verifyEvidence({ kind, document }, { ...claims, now: end })?.ok, true)
  assert.equal(verifyEvidence({ kind, document }, { ...claims, now: end + 86_400n })?.ok, true)
  assert.equal(verifyEvidence({ kind, document }, { ...claims, now: end + 86_401n })?.ok, false)
  assert.equal(verifyEvidence({ kind, document }, { ...claims, now: end + 1n, earlier: 0n })?.ok, false)
  assert.equal(verifyEvidence({ kind: 'toString', document }, { ...claims, now: end }), undefined)
})

test('a heartbeat that a replay extends: evidence from before the last one counted is no new term', async () => {
  const proposal = await propose()
  const judge = (changes: Partial<VerifyRegistrationParameters>) =>
    outcome(verifyRegistration({ ...proposal, ...changes }))
  // What the first registration was admitted by, in a proposal of today, whatever bytes it is wrapped into.
  assert.equal(judge({ attestedAt: anchor.timestamp }), 'invalid not_renewed')
  assert.equal(judge({ attestedAt: anchor.timestamp + 30n }), 'invalid not_renewed')
  assert.equal(judge({ attestedAt: anchor.timestamp - 1n }), 'valid ok')
  assert.equal(judge({ anchor: { ...anchor, timestamp: now - 3_600n } }), 'valid ok')
  assert.equal(judge({ anchor: { ...anchor, timestamp: now - 3_601n } }), 'invalid anchor_too_old')
  assert.equal(judge({ anchor: null }), 'invalid anchor_unknown')
  assert.equal(judge({ anchor: { ...anchor, hash: keccak256('0x91') } }), 'invalid anchor_unknown')
  // A younger block beside an old document: the document binds another.
  const other = { anchorBlock: 91n, anchorHash: keccak256('0x91') }
  const dressed = await propose({}, { evidence: other })
  const report = verifyRegistration({ ...dressed, anchor: { hash: other.anchorHash, timestamp: now } })
  assert.equal(outcome(report), 'invalid attestation_invalid userData')
  for (const made of [await proposeSnp(), await proposeDcap('tdx')]) {
    const replayed = verifyRegistration({ ...made, attestedAt: anchor.timestamp })
    assert.equal(outcome(replayed), 'invalid not_renewed', 'a report without a time of its own')
  }
})
