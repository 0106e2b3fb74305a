/**
 * The verifying half of the package, safe in a browser: architectures, model identity, `verifyProof` and, for proofs that
 * hide, `verifyVeiledProof`. It imports nothing of the prover. Start with `verify.ts`, then `veil/verifyVeiled.ts`.
 */
export * from '../circuit/architecture.ts'
export { decodeArchitecture, encodeArchitecture } from '../circuit/encodeArchitecture.ts'
export {
  activate,
  decodeOutput,
  encodeInput,
  inputSize,
} from '../circuit/encoding.ts'
export type { Plan } from '../circuit/plan.ts'
export { planCircuit } from '../circuit/planCircuit.ts'
export { modelRootOf, type Statement, tensorHash } from '../circuit/statement.ts'
export { ZkmlError, type ZkmlErrorCode } from '../errors.ts'
export { decodeModelCard, encodeModelCard, type ModelCard } from '../files/modelCard.ts'
export { decodeProofFile, encodeProofFile, type ProofFile } from '../files/proofFile.ts'
export {
  decodeVeiledProofFile,
  encodeVeiledProofFile,
  isVeiledProofFile,
  type VeiledProofFile,
} from '../files/veiledProofFile.ts'
export type { Soundness, SoundnessTerm } from '../soundness/soundness.ts'
export { gateName } from '../tape/gates.ts'
export { firstViolated } from '../tape/judgeTape.ts'
export { programOf, type Recorded, recordProgram, recordProof, tapeRoot } from '../tape/recordProof.ts'
export { type ShownStep, showStep } from '../tape/showStep.ts'
export { rootOf, type ShownRun, showRun, type WordTree, wordTree } from '../tape/wordTree.ts'
export {
  type HiddenInput,
  isHidden,
  MOST_PROOFS,
  type VeiledStatement,
  veilCircuit,
  veiledModelRoot,
} from '../veil/statement.ts'
export { type VerifiedZk, verifyVeiledProof } from '../veil/verifyVeiled.ts'
export { type StatementHashes, type Verified, verifyProof } from './verify.ts'
