/** Intel SGX and TDX under DCAP. Start with `verifyDcap.ts`. */
export { type DcapCollateral, readDcapCollateral } from './collateral.ts'
export { readEventLog, type TdEvent } from './eventLog.ts'
export { type DcapEvidence, decodeDcapEvidence, encodeDcapEvidence } from './evidence.ts'
export type { DcapExpectations, DcapMeasurements } from './expectations.ts'
export { type DcapPolicy, DEFAULT_DCAP_POLICY } from './policy.ts'
export { type QuotePlatform, quotePlatform } from './quotePlatform.ts'
export type { EnclaveReport, TdReport } from './reports.ts'
export { DCAP_STEPS, type DcapCode, type DcapStep, type DcapStepName } from './steps.ts'
export type { TcbStatus } from './tcbStatus.ts'
export {
  type DcapAttestation,
  type DcapReport,
  INTEL_ROOT_HASH,
  type VerifyDcapParameters,
  verifyDcap,
} from './verifyDcap.ts'
