/**
 * A validator: watches the chain for batches and proposed enclave keys, fetches what stands behind them, judges it with
 * packages/verify, and signs its verdict. It never signs without having the data, and never two things that contradict
 * each other. Start with `validatorDuties.ts`; what protects the signature is `signingRecord.ts`.
 */
export {
  type Canary,
  closeCanary,
  dueToReveal,
  isCommitted,
  newCanary,
  revealCanary,
  type SowContext,
  sowAndCommit,
  takeSeedBack,
} from './canary/sowCanary.ts'
export { exportRecord, importRecord, MAX_RECORD_BYTES } from './recordFile.ts'
export { openSigningRecord } from './signingRecord.ts'
export { type StartValidatorOptions, startValidator, type Validator } from './startValidator.ts'
