/**
 * The verifying half of the package, safe in a browser: architectures, model identity and `verifyProof`. It imports
 * nothing of the prover. Start with `verify.ts`.
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
export type { Soundness, SoundnessTerm } from '../soundness/soundness.ts'
export { falseLayer, prefixBytes, REPLAYED_LAYERS } from './falseLayer.ts'
export { type StatementHashes, type Verified, verifyProof } from './verify.ts'
