/** Keys that are proposed for registration, with simulated evidence, as they stand on a chain. */
import assert from 'node:assert/strict'
import {
  canonicalJsonBytes,
  type Evidence,
  enclaveBinding,
  evidenceToJson,
  HARDWARE_NITRO_SIM,
  HARDWARE_SGX,
  HARDWARE_SNP,
  HARDWARE_TDX,
  type KeyRegistration,
  NO_KEY_HASH,
  nitroMeasurement,
  registrationIdOf,
  snpMeasurement,
} from '@assay/protocol'
import { type Address, bytesToHex, type Hex, hexToBytes, keccak256 } from 'viem'
import {
  encodeDcapEvidence,
  encodeSnpEvidence,
  type RegistrationReport,
  type Rules,
  registrationReads,
  type VerifyRegistrationParameters,
  verifyDcap,
  verifyRegistration,
} from '../src/index.ts'
import { type SimulatedParameters, simulateNitro } from './simulatedNitro.ts'
import { DCAP_AT, type DcapChanges, simulateDcap } from './tee/simulatedDcap.ts'
import { SNP_AT, type SnpChanges, simulateSnp } from './tee/simulatedSnp.ts'

export const deployment = {
  chainId: 31337,
  settlement: '0x9fe46736679d2d9a65f0992f2272de9f3c7fa6e0',
  deploymentId: keccak256('0x1234'),
} as const

export const teeRegistry: Address = '0xcf7ed3acca5a467e9e704c703e8d87f634fb0fc9'
export const node: Address = '0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc'
export const key: Address = '0x90f79bf6eb2c4f870365e785982e1f101e93b906'
export const now = 1_770_000_000n
export const anchor = { hash: keccak256('0x90'), timestamp: now - 60n }

export const hashes = {
  tlsKeyHash: NO_KEY_HASH,
  hpkeKeyHash: NO_KEY_HASH,
  anchorBlock: 90n,
  anchorHash: anchor.hash,
}

export const open = { validFrom: 1n, revokedAt: 0n }

/** What a chain answers on which nobody voted any rule in. */
function withoutRules(evidence: Uint8Array): Rules {
  return new Map(registrationReads(evidence)?.rules.map((name) => [name, 0n]))
}

/** A proposal as it stands on chain, with evidence as it would be fetched. */
export async function propose(
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

export function outcome(report: RegistrationReport): string {
  return [report.verdict, report.code, report.failedCheck].filter((part) => part !== undefined).join(' ')
}

/** The proposal of a key in a simulated trust domain or enclave whose REPORTDATA is the key's binding. */
export async function proposeDcap(
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

/** The proposal of a key in a simulated SEV-SNP guest whose REPORT_DATA is the key's binding. */
export async function proposeSnp({
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

/** The verdict where a vote has set these rules. */
export function under(proposal: VerifyRegistrationParameters, rules: Record<string, bigint>): string {
  for (const name of Object.keys(rules)) assert.ok(proposal.rules.has(name), `${name} bears on the evidence`)
  const set = new Map([...proposal.rules, ...Object.entries(rules)])
  return outcome(verifyRegistration({ ...proposal, rules: set }))
}
