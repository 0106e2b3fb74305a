import {
  type Deployment,
  type Evidence,
  enclaveBinding,
  evidenceFromJson,
  type KeyRegistration,
  MAX_EVIDENCE_BYTES,
  parseCanonicalJson,
  registrationIdOf,
  tag,
} from '@assay/protocol'
import { type Address, type Hex, keccak256 } from 'viem'
import { covers, type Interval, type MeasurementView } from './chainView.ts'
import { same } from './step.ts'
import type { Rules } from './tee/policy/policyOfRules.ts'
import { rulesOfEvidence } from './tee/policy/rulesOfEvidence.ts'
import { type EvidenceStepName, verifyEvidence } from './tee/verifyEvidence.ts'

/** Oldest block that evidence may name, seconds before its proposal: a chain calls blocks safe within minutes. */
export const EVIDENCE_MAX_AGE_SECONDS = 3_600n

export type VerifyRegistrationParameters = {
  registrationId: Hex
  registration: KeyRegistration
  deployment: Deployment
  teeRegistry: Address
  /** Blob under `evidenceHash`, as fetched. */
  evidence: Uint8Array
  /** TeeRegistry's records of the hardware type, root and measurement that are claimed. */
  hardware: Interval
  root: Interval
  measurement: MeasurementView
  /** What TeeRegistry said then of the rules that bear on the evidence (`registrationReads`). */
  rules: Rules
  /** Block that the evidence names (`registrationReads`); null where the chain has none. */
  anchor: { hash: Hex; timestamp: bigint } | null
  /** When the key was last attested, Unix seconds; 0 for a new one. */
  attestedAt: bigint
  /** Time of the block that holds the proposal, Unix seconds: the same for every validator, however late it looks. */
  now: bigint
}

export type RegistrationCode =
  | 'ok'
  | 'evidence_foreign' // not the bytes under evidenceHash: ask again or elsewhere, do not vote
  | 'registration_differs' // the id is not that of the fields
  | 'evidence_malformed'
  | 'hardware_unknown' // no verifier for this hardware type
  | 'hardware_not_approved'
  | 'root_not_approved'
  | 'measurement_not_approved'
  | 'engine_class_not_allowed' // claims more than the measurement may
  | 'attestation_invalid'
  | 'anchor_unknown' // names no block of this chain
  | 'anchor_too_old' // made long before it was proposed
  | 'not_renewed' // made before the key was last attested: the same evidence again

export type RegistrationReport = {
  verdict: 'valid' | 'invalid' | 'unknown'
  code: RegistrationCode
  reason: string
  /** The check of the attestation document that failed. */
  failedCheck?: EvidenceStepName | undefined
}

const invalid = (code: RegistrationCode, reason: string): RegistrationReport => ({
  verdict: 'invalid',
  code,
  reason,
})

function readEvidence(bytes: Uint8Array): Evidence | undefined {
  try {
    return evidenceFromJson(parseCanonicalJson(bytes, MAX_EVIDENCE_BYTES))
  } catch {
    return undefined
  }
}

function registryProblem(parameters: VerifyRegistrationParameters): RegistrationReport | undefined {
  const { registration, hardware, root, measurement, now } = parameters
  if (!covers(hardware, now)) {
    return invalid('hardware_not_approved', `Hardware type ${registration.hardwareType} is not approved.`)
  }
  if (!covers(root, now))
    return invalid('root_not_approved', `Root ${registration.rootHash} is not approved.`)
  if (!covers(measurement, now)) {
    return invalid('measurement_not_approved', `Measurement ${registration.measurement} is not approved.`)
  }
  if (registration.engineClasses === 0 || (registration.engineClasses & ~measurement.engineClasses) !== 0) {
    return invalid(
      'engine_class_not_allowed',
      `The measurement allows classes ${measurement.engineClasses.toString(2)}, claimed are ` +
        `${registration.engineClasses.toString(2)}.`,
    )
  }
  return undefined
}

/**
 * The evidence is younger than the block whose hash it binds, whatever kind it is: a report of SEV-SNP or a quote carries no
 * time of its own, and would prove for ever what was once the case.
 */
function freshnessProblem(
  { anchorBlock, anchorHash }: Evidence,
  { anchor, attestedAt, now }: VerifyRegistrationParameters,
): RegistrationReport | undefined {
  if (anchor === null || !same(anchor.hash, anchorHash)) {
    return invalid(
      'anchor_unknown',
      `The evidence names a block ${anchorBlock} that this chain does not have.`,
    )
  }
  if (anchor.timestamp + EVIDENCE_MAX_AGE_SECONDS < now) {
    const age = now - anchor.timestamp
    return invalid(
      'anchor_too_old',
      `The evidence may be ${age} s old, at most ${EVIDENCE_MAX_AGE_SECONDS} s.`,
    )
  }
  if (anchor.timestamp <= attestedAt) {
    const reason = `The evidence may be from before ${attestedAt}, when the key was last attested.`
    return invalid('not_renewed', reason)
  }
  return undefined
}

/** What to read from the chain to judge evidence: undefined where the bytes are no evidence, which is judged without. */
export function registrationReads(
  bytes: Uint8Array,
): { rules: readonly string[]; anchorBlock: bigint } | undefined {
  const evidence = bytes.length > MAX_EVIDENCE_BYTES ? undefined : readEvidence(bytes)
  if (evidence === undefined) return undefined
  return { rules: rulesOfEvidence(evidence) ?? [], anchorBlock: evidence.anchorBlock }
}

/**
 * What a validator votes on a proposed enclave key. Pure; hostile evidence gives an invalid verdict, never an exception.
 */
export function verifyRegistration(parameters: VerifyRegistrationParameters): RegistrationReport {
  const { registration, deployment } = parameters
  const id = registrationIdOf(deployment.chainId, parameters.teeRegistry, registration)
  if (!same(id, parameters.registrationId)) {
    return invalid('registration_differs', `The fields make registration ${id}.`)
  }
  const { evidence: bytes } = parameters
  if (bytes.length > MAX_EVIDENCE_BYTES || !same(keccak256(bytes), registration.evidenceHash)) {
    const reason = 'The bytes are not those under the evidence hash.'
    return { verdict: 'unknown', code: 'evidence_foreign', reason }
  }
  const problem = registryProblem(parameters)
  if (problem !== undefined) return problem
  const evidence = readEvidence(bytes)
  if (evidence === undefined)
    return invalid('evidence_malformed', 'The evidence is not canonical JSON of its form.')
  if (!same(tag(evidence.kind), registration.hardwareType)) {
    return invalid(
      'hardware_unknown',
      `Evidence of kind ${JSON.stringify(evidence.kind)} is not of the hardware type claimed.`,
    )
  }
  const stale = freshnessProblem(evidence, parameters)
  if (stale !== undefined) return stale
  const { node, key, rootHash, hardwareType, measurement } = registration
  const verdict = verifyEvidence(evidence, {
    rootHash,
    hardwareType,
    measurement,
    rules: parameters.rules,
    userData: enclaveBinding(deployment, { node, key, ...evidence }),
    now: parameters.now,
    earlier: 0n,
  })
  if (verdict === undefined) {
    const kind = JSON.stringify(evidence.kind)
    return invalid('hardware_unknown', `Nothing here verifies evidence of kind ${kind}.`)
  }
  if (verdict.ok) return { verdict: 'valid', code: 'ok', reason: 'The attestation holds.' }
  const { failedCheck, reason } = verdict
  return { ...invalid('attestation_invalid', `${reason}.`), failedCheck }
}
