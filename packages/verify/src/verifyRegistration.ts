import {
  type Deployment,
  type Evidence,
  enclaveBinding,
  evidenceFromJson,
  type KeyRegistration,
  parseCanonicalJson,
  registrationIdOf,
  tag,
} from '@assay/protocol'
import { type Address, type Hex, keccak256 } from 'viem'
import { covers, type Interval, type MeasurementView } from './chainView.ts'
import { same } from './step.ts'
import { type EvidenceStepName, verifyEvidence } from './tee/verifyEvidence.ts'

/** The largest, a quote with its collateral and event log, has about 60 KB in base64. */
export const MAX_EVIDENCE_BYTES = 131_072

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
  const verdict = verifyEvidence(evidence, {
    rootHash: registration.rootHash,
    hardwareType: registration.hardwareType,
    measurement: registration.measurement,
    userData: enclaveBinding(deployment, {
      node: registration.node,
      key: registration.key,
      tlsKeyHash: evidence.tlsKeyHash,
      hpkeKeyHash: evidence.hpkeKeyHash,
    }),
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
