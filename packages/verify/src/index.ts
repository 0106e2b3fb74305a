/**
 * THE verifier: one checklist shared by the client library, the command line, validators and nodes. Pure and safe in a
 * browser: no I/O, no clock, and nothing of node but its OpenSSL for signatures, for which JavaScript stands in elsewhere
 * (`tee/x509/ecdsa/`); what the chain says comes in as a `ChainView`. Hostile bytes give failed steps, never exceptions.
 * Start with `verifyBundle.ts`.
 */
export * from './chainView.ts'
export { circuitHashOf } from './circuitHash.ts'
export { falseInference, falseTape } from './falseInference.ts'
export * from './grant.ts'
export * from './grantPass.ts'
export * from './openBatchFile.ts'
export * from './payment.ts'
export { recordTape, tapeParts } from './recordTape.ts'
export type { Report } from './report.ts'
export { STEP_NAMES, type Step, type StepCode, type StepName } from './step.ts'
export { proofHolds } from './steps/proofHolds.ts'
export * from './tee/checklist.ts'
export * from './tee/dcap/index.ts'
export { describeEvidence, type EvidenceFacts } from './tee/describeEvidence.ts'
export { type GpuInspection, type Inspection, inspectEvidence, inspectGpus } from './tee/inspectEvidence.ts'
export * from './tee/nitro/index.ts'
export * from './tee/nvidia/index.ts'
export { exceptionsOf, type Rules } from './tee/policy/policyOfRules.ts'
export { RULE_KINDS, readRule, rulesFor } from './tee/policy/ruleKinds.ts'
export { rulesOfEvidence } from './tee/policy/rulesOfEvidence.ts'
export * from './tee/snp/index.ts'
export type { TrustedRoot } from './tee/trustedRoot.ts'
export { type EvidenceClaims, type EvidenceVerdict, verifyEvidence } from './tee/verifyEvidence.ts'
export type { RevokedCertificate } from './tee/x509/revoked.ts'
export * from './verifyBundle.ts'
export * from './verifyReceipt.ts'
export * from './verifyRegistration.ts'
