/**
 * Proofs of inference for quantised networks: a model is committed to once, each run of it is proved after the answer
 * is out, and anybody verifies the proof in milliseconds. `validity` proofs convince and do not hide; `zk` proofs hide the
 * weights and all values between input and output as well, at a price. What verifies lies apart, in
 * `@assay/zkml/verifier`, and never imports what proves. Read first: docs/zkml.md, then `verifier/verify.ts` beside
 * `prover/prove.ts`, and `veil/verifyVeiled.ts` beside `prover/veil/proveVeiled.ts`.
 */

export { type ArchitectureDraft, type Model, makeModel, type Parameters } from './circuit/model.ts'
export { type CompiledModel, type CompileOptions, compileOnnx } from './compiler/compileOnnx.ts'
export type { FloatGraph } from './compiler/graph/floatGraph.ts'
export { type Accuracy, measureAccuracy } from './compiler/measureAccuracy.ts'
export { decodeModelFile, encodeModelFile } from './files/modelFile.ts'
export { createWorkspace } from './kernels/wasmKernels.ts'
export type { Workspace } from './kernels/workspace.ts'
export { cardOf } from './prover/cardOf.ts'
export { type CommittedModel, commitModel, type Proof, proveInference, runInference } from './prover/prove.ts'
export { commitVeiledModel, hiddenInputRoot, type VeiledModel } from './prover/veil/commitHidden.ts'
export { proveVeiled, type VeiledOptions, type VeiledProof } from './prover/veil/proveVeiled.ts'
export { type Prover, startProver } from './thread/startProver.ts'
export * from './verifier/index.ts'
