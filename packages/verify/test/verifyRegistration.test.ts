import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  canonicalJsonBytes,
  type Evidence,
  enclaveBinding,
  evidenceFromJson,
  evidenceToJson,
  type GpuEvidence,
  gpuNonce,
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
  exceptionsOf,
  type RegistrationReport,
  type Rules,
  readRule,
  registrationReads,
  rulesFor,
  type VerifyRegistrationParameters,
  verifyDcap,
  verifyRegistration,
} from '../src/index.ts'
import { verifyEvidence } from '../src/tee/verifyEvidence.ts'
import { ordinaryPcrs, type SimulatedParameters, simulateNitro } from './simulatedNitro.ts'
import { DCAP_AT, type DcapChanges, simulateDcap } from './tee/simulatedDcap.ts'
import { type GpuChanges, simulateGpu } from './tee/simulatedGpu.ts'
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
const anchor = { hash: keccak256('0x90'), timestamp: now - 60n }
const hashes = {
  tlsKeyHash: NO_KEY_HASH,
  hpkeKeyHash: NO_KEY_HASH,
  anchorBlock: 90n,
  anchorHash: anchor.hash,
}
const open = { validFrom: 1n, revokedAt: 0n }

/** What a chain answers on which nobody voted any rule in. */
function withoutRules(evidence: Uint8Array): Rules {
  return new Map(registrationReads(evidence)?.rules.map((name) => [name, 0n]))
}

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
    rules: withoutRules(evidence),
    anchor,
    attestedAt: 0n,
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
  {
    dcap = {},
    eventLog,
    ...changes
  }: { dcap?: DcapChanges; eventLog?: string } & Parameters<typeof propose>[1] = {},
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
      evidence: { kind, document: encodeDcapEvidence({ ...made, eventLog }), ...changes.evidence },
    },
  )
  const { evidence } = proposal
  const registration = { ...proposal.registration, evidenceHash: keccak256(evidence) }
  const registrationId = registrationIdOf(deployment.chainId, teeRegistry, registration)
  return { ...proposal, ...{ registration, registrationId }, now: BigInt(DCAP_AT) }
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

/** The verdict where a vote has set these rules. */
function under(proposal: VerifyRegistrationParameters, rules: Record<string, bigint>): string {
  for (const name of Object.keys(rules)) assert.ok(proposal.rules.has(name), `${name} bears on the evidence`)
  const set = new Map([...proposal.rules, ...Object.entries(rules)])
  return outcome(verifyRegistration({ ...proposal, rules: set }))
}

test('rules on SEV-SNP: least and denied patch levels, denied chips, and what a vote lets in all the same', async () => {
  const plain = await proposeSnp()
  const names = [...plain.rules.keys()]
  const failed = (check: string) => `invalid attestation_invalid ${check}`
  const chip = names.find((name) => name.startsWith('deny-chip/')) as string
  const level = names.find((name) => name.startsWith('deny-tcb/Genoa/')) as string
  assert.equal(under(plain, { [chip]: 1n }), failed('chipAccepted'))
  assert.equal(under(plain, { [level]: 1n }), failed('minimumTcb'))
  assert.equal(under(plain, { 'require-crl': 1n }), failed('notRevoked'))
  const tcb = BigInt(level.slice('deny-tcb/Genoa/'.length))
  assert.equal(under(plain, { 'minimum-tcb/Genoa': tcb }), 'valid ok')
  assert.equal(under(plain, { 'minimum-tcb/Genoa': tcb + (1n << 56n) }), failed('minimumTcb'), 'microcode')
  assert.equal(under(plain, { 'minimum-tcb/Genoa': tcb + 1n }), failed('minimumTcb'), 'boot loader')
  const milan = await proposeSnp({ snp: { product: 'Milan' } })
  assert.equal(under(milan, {}), failed('productAccepted'))
  assert.equal(under(milan, { 'allow-product/Milan': 1n }), 'valid ok')
  const shared = await proposeSnp({ snp: { signer: 'VLEK' } })
  assert.equal(under(shared, { 'allow-signer/VLEK': 1n }), 'valid ok')
  // Debugging is refused under any vote: there is no rule that would let it in.
  const debug = await proposeSnp({ snp: { report: { 10: [0x0b] } } })
  assert.equal(
    under(debug, Object.fromEntries(names.filter((n) => n.startsWith('allow')).map((n) => [n, 1n]))),
    failed('notDebug'),
  )
})

test('rules on TDX: out of date, dates, evaluation numbers, advisories, families and processors', async () => {
  const plain = await proposeDcap('tdx')
  const failed = (check: string) => `invalid attestation_invalid ${check}`
  const named = (start: string) => [...plain.rules.keys()].filter((name) => name.startsWith(start))
  for (const name of [named('deny-fmspc/')[0], named('deny-ppid/')[0]]) {
    assert.equal(under(plain, { [name as string]: 1n }), failed('platformAllowed'))
  }
  const outcomes = named('deny-tcb-date/').map((name) => under(plain, { [name]: 1n }))
  assert.equal(outcomes.filter((found) => found === failed('tcbLevel')).length, 1, 'the level it reaches')
  assert.equal(under(plain, { 'minimum-tcb-date': now }), failed('tcbLevel'))
  assert.equal(under(plain, { 'minimum-evaluation': 60_000n }), failed('collateralRecent'))
  assert.equal(under(plain, { 'minimum-status': 1n }), 'valid ok')
  const outdated = await proposeDcap('tdx', { dcap: { componentSvns: new Array<number>(16).fill(2) } })
  assert.equal(under(outdated, {}), failed('statusAccepted'))
  // The measurement is read from accepted evidence, so it is unknown here: everything before it passed.
  assert.equal(under(outdated, { 'allow-out-of-date': 1n }), failed('measurement'))
  assert.equal(under(plain, { 'allow-sept-ve': 1n, 'allow-migratable': 1n }), 'valid ok')
})

test('rules on Nitro: a certificate that is denied, by issuer and serial', async () => {
  const proposal = await propose()
  const names = [...proposal.rules.keys()].filter((name) => !name.startsWith('require-gpus/'))
  for (const name of names) {
    assert.match(name, /^deny-certificate\//)
    assert.equal(under(proposal, { [name]: 1n }), 'invalid attestation_invalid notRevoked')
  }
})

const bound = enclaveBinding(deployment, { node, key, ...hashes })

/** A simulated GPU that was asked with this nonce. */
function gpuAsked(nonce: Hex, changes: GpuChanges = {}): GpuEvidence {
  const { evidence } = simulateGpu({ ...changes, bytes: { 4: [...hexToBytes(nonce)] } })
  return evidence
}

test('GPUs: genuine under a root that was voted in, asked by this enclave, each once', async () => {
  const gpu = gpuAsked(gpuNonce(bound))
  const root = `gpu-root/${keccak256(gpu.certificates[0] as Uint8Array)}`
  const proposal = await propose({}, { evidence: { gpus: [gpu] } })
  const verdict = (made: VerifyRegistrationParameters, rules: Record<string, bigint>): string => {
    const set = new Map([...made.rules, ...Object.entries(rules)])
    return verifyRegistration({ ...made, rules: set }).reason
  }
  assert.equal(under(proposal, {}), 'invalid attestation_invalid gpus', 'no root counts without a vote')
  assert.match(verdict(proposal, {}), /^gpus: GPU 0: rootApproved: /)
  assert.equal(under(proposal, { [root]: 1n }), 'valid ok')
  assert.equal(under(proposal, { [root]: 0n }), 'invalid attestation_invalid gpus')

  const asked = async (...gpus: GpuEvidence[]) => {
    const roots = gpus.map(({ certificates: [first] }) => [`gpu-root/${keccak256(first ?? '0x')}`, 1n])
    return verdict(await propose({}, { evidence: { gpus } }), Object.fromEntries(roots))
  }
  const operators = enclaveBinding(deployment, { node: key, key: node, ...hashes })
  assert.match(await asked(gpuAsked(gpuNonce(operators))), /^gpus: GPU 0: nonce: /, "another enclave's")
  assert.match(await asked(gpuAsked(bound)), /^gpus: GPU 0: nonce: /, 'not the binding itself')
  assert.match(await asked(gpu, gpuAsked(bound)), /^gpus: GPU 1: nonce: /)
  assert.match(await asked(gpu, gpu), /^gpus: device 0x[0-9a-f]{64} stands for several GPUs/)
  assert.match(await asked(gpuAsked(gpuNonce(bound), { model: 'LS10' })), /^gpus: GPU 0: deviceKind: /)
  const flipped = { ...gpu, report: gpu.report.map((byte, at) => (at === 2000 ? byte ^ 1 : byte)) }
  assert.match(await asked(flipped), /^gpus: GPU 0: signature: /)
  const short = { ...gpu, certificates: gpu.certificates.slice(0, 1) }
  assert.match(await asked(short), /^gpus: GPU 0: chainLinks: |was not read/)
})

test('rules on GPUs: how many code must show, and which are denied, by device or certificate', async () => {
  const gpu = gpuAsked(gpuNonce(bound))
  const root = { [`gpu-root/${keccak256(gpu.certificates[0] as Uint8Array)}`]: 1n }
  const [bare, one] = [await propose(), await propose({}, { evidence: { gpus: [gpu] } })]
  const required = `require-gpus/${bare.registration.measurement}`
  assert.equal(under(bare, { [required]: 1n }), 'invalid attestation_invalid gpus')
  assert.equal(under(one, { ...root, [required]: 1n }), 'valid ok')
  assert.equal(under(one, { ...root, [required]: 2n }), 'invalid attestation_invalid gpus')
  const named = (start: string) => [...one.rules.keys()].filter((name) => name.startsWith(start))
  assert.equal(named('deny-gpu/').length, 1)
  // The processor's own five stand before them.
  const ofGpu = named('deny-certificate/').slice(5)
  assert.equal(ofGpu.length, 5, 'each certificate of its chain')
  for (const name of [...named('deny-gpu/'), ...ofGpu]) {
    assert.equal(under(one, { ...root, [name]: 1n }), 'invalid attestation_invalid gpus')
  }
  for (const name of [...Object.keys(root), required, ...named('deny-gpu/')]) {
    assert.ok(readRule(name) !== undefined, `${name} can be voted on`)
  }
})

test('SEV-SNP guests and trust domains bring GPUs in the same way', async () => {
  for (const made of [await proposeSnp(), await proposeDcap('tdx')]) {
    const { measurement } = made.registration
    assert.equal(under(made, { [`require-gpus/${measurement}`]: 1n }), 'invalid attestation_invalid gpus')
  }
})

test('a list of no GPUs is not evidence: their absence is said in one way', async () => {
  assert.equal(
    outcome(verifyRegistration(await propose({}, { evidence: { gpus: [] } }))),
    'invalid evidence_malformed',
  )
})

test('rules that were not read are not rules that were not set', async () => {
  for (const proposal of [await propose(), await proposeSnp(), await proposeDcap('tdx')]) {
    assert.equal(outcome(verifyRegistration(proposal)), 'valid ok')
    const [name = ''] = [...proposal.rules.keys()]
    const rules = new Map([...proposal.rules].filter(([other]) => other !== name))
    const report = verifyRegistration({ ...proposal, rules })
    assert.equal(report.code, 'attestation_invalid')
    assert.match(report.reason, /was not read/)
  }
})

test('a rule has one name, and every kind says what it does', () => {
  const good = [
    'minimum-tcb/Genoa',
    'require-crl',
    `deny-chip/0x${'0a'.repeat(64)}`,
    'deny-tcb-date/2024-03-13',
  ]
  for (const name of good) assert.ok(readRule(name) !== undefined, name)
  const bad = [
    ...[
      '',
      '/',
      'deny-chip',
      'deny-chip/',
      `deny-chip/0x${'0A'.repeat(64)}`,
      'minimum-tcb/Rome',
      'require-crl/',
    ],
    ...[
      'require-crl/x',
      'toString',
      'minimum-tcb/Genoa/',
      `deny-ppid/0x${'00'.repeat(15)}`,
      'deny-tcb-date/2024-3-1',
    ],
  ]
  for (const name of bad) assert.equal(readRule(name), undefined, name)
  assert.ok(rulesFor('snp').length > 5 && rulesFor('tdx').length > 5 && rulesFor('nitro').length === 1)
  const milan = exceptionsOf(
    new Map([
      ['allow-product/Milan', 1n],
      ['deny-fmspc/0x00906ed50000', 1n],
    ]),
  )
  assert.equal(milan.length, 1)
  assert.match(milan[0] ?? '', /extracted in software/)
})
