import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  canonicalJsonBytes,
  type Evidence,
  enclaveBinding,
  evidenceFromJson,
  evidenceToJson,
  HARDWARE_NITRO,
  HARDWARE_NITRO_SIM,
  HARDWARE_SGX,
  HARDWARE_SNP,
  HARDWARE_TDX,
  type KeyRegistration,
  NO_KEY_HASH,
  nitroMeasurement,
  parseCanonicalJson,
  registrationIdOf,
  snpMeasurement,
} from '@assay/protocol'
import { type Address, bytesToHex, type Hex, hexToBytes, keccak256 } from 'viem'
import {
  encodeDcapEvidence,
  encodeSnpEvidence,
  type RegistrationReport,
  type VerifyRegistrationParameters,
  verifyDcap,
  verifyRegistration,
} from '../src/index.ts'
import { verifyEvidence } from '../src/tee/verifyEvidence.ts'
import { ordinaryPcrs, type SimulatedParameters, simulateNitro } from './simulatedNitro.ts'
import { DCAP_AT, type DcapChanges, simulateDcap } from './tee/simulatedDcap.ts'
import { SNP_AT, type SnpChanges, simulateSnp } from './tee/simulatedSnp.ts'

const deployment = {
  chainId: 31337,
  settlement: '0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0',
  deploymentId: keccak256('0x1234'),
} as const
const teeRegistry: Address = '0xcf7ed3acca5a467e9e704c703e8d87f634fb0fc9'
const node: Address = '0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc'
const key: Address = '0x90f79bf6eb2c4f870365e785982e1f101e93b906'
const now = 1_770_000_000n
const hashes = { tlsKeyHash: NO_KEY_HASH, hpkeKeyHash: NO_KEY_HASH }
const open = { validFrom: 1n, revokedAt: 0n }

/** A proposal as it stands on chain, with evidence as it would be fetched. */
async function propose(
  document: Partial<SimulatedParameters> = {},
  changes: { registration?: Partial<KeyRegistration>; evidence?: Partial<Evidence> } = {},
): Promise<VerifyRegistrationParameters> {
  const made = await simulateNitro({
    at: Number(now) - 5,
    userData: hexToBytes(enclaveBinding(deployment, { node, key, ...hashes })),
    ...document,
  })
  const evidence = canonicalJsonBytes(
    evidenceToJson({ kind: 'nitro-sim', document: made.document, ...hashes, ...changes.evidence }),
  )
  const [pcr0, pcr1, pcr2] = [0, 1, 2].map((index) => bytesToHex(made.pcrs.get(index) as Uint8Array))
  const registration: KeyRegistration = {
    node,
    key,
    hardwareType: HARDWARE_NITRO_SIM,
    rootHash: made.rootHash,
    measurement: nitroMeasurement(pcr0 as Hex, pcr1 as Hex, pcr2 as Hex),
    engineClasses: 1,
    evidenceHash: keccak256(evidence),
    ...changes.registration,
  }
  return {
    registrationId: registrationIdOf(deployment.chainId, teeRegistry, registration),
    registration,
    deployment,
    teeRegistry,
    evidence,
    hardware: open,
    root: open,
    measurement: { ...open, engineClasses: 1 },
    now,
  }
}

function outcome(report: RegistrationReport): string {
  return [report.verdict, report.code, report.failedCheck].filter((part) => part !== undefined).join(' ')
}

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

/** The proposal of a key in a simulated trust domain or enclave whose REPORTDATA is the key's binding. */
async function proposeDcap(
  kind: 'sgx' | 'tdx',
  { dcap = {}, ...changes }: { dcap?: DcapChanges } & Parameters<typeof propose>[1] = {},
): Promise<VerifyRegistrationParameters> {
  const binding = [...hexToBytes(enclaveBinding(deployment, { node, key, ...hashes })), ...new Uint8Array(32)]
  const place = kind === 'tdx' ? 520 : 320
  const made = simulateDcap({ ...dcap, kind, quote: { [place]: binding, ...dcap.quote } })
  const { attestation } = verifyDcap(made.quote, made.collateral, made.parameters)
  const [root] = made.parameters.roots
  const proposal = await propose(
    {},
    {
      registration: {
        hardwareType: kind === 'tdx' ? HARDWARE_TDX : HARDWARE_SGX,
        rootHash: root?.rootHash as Hex,
        measurement: attestation?.measurement ?? keccak256('0x00'),
        ...changes.registration,
      },
      evidence: { kind, document: encodeDcapEvidence(made), ...changes.evidence },
    },
  )
  const { evidence } = proposal
  const registration = { ...proposal.registration, evidenceHash: keccak256(evidence) }
  const registrationId = registrationIdOf(deployment.chainId, teeRegistry, registration)
  return { ...proposal, registration, registrationId, now: BigInt(DCAP_AT) }
}

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

/** The proposal of a key in a simulated SEV-SNP guest whose REPORT_DATA is the key's binding. */
async function proposeSnp({
  snp = {},
  ...changes
}: { snp?: SnpChanges } & Parameters<typeof propose>[1] = {}): Promise<VerifyRegistrationParameters> {
  const binding = [...hexToBytes(enclaveBinding(deployment, { node, key, ...hashes })), ...new Uint8Array(32)]
  const made = simulateSnp({ ...snp, report: { 80: binding, ...snp.report } })
  const proposal = await propose(
    {},
    {
      registration: {
        hardwareType: HARDWARE_SNP,
        rootHash: made.parameters.roots[0]?.rootHash as Hex,
        measurement: snpMeasurement(`0x${'09'.repeat(48)}`, `0x${'0b'.repeat(32)}`),
        ...changes.registration,
      },
      evidence: { kind: 'snp', document: encodeSnpEvidence(made.evidence), ...changes.evidence },
    },
  )
  const { evidence } = proposal
  const registration = { ...proposal.registration, evidenceHash: keccak256(evidence) }
  const registrationId = registrationIdOf(deployment.chainId, teeRegistry, registration)
  return { ...proposal, registration, registrationId, now: BigInt(SNP_AT) }
}

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
