/**
 * Proofs of inference for quantised networks: a model is committed to once, each run of it is proved after the answer
 * is out, and anybody verifies the proof in milliseconds. The proofs convince and do not hide: they are `validity`
 * proofs. What verifies lies apart, in `@assay/zkml/verifier`, and never imports what proves. Read first: docs/zkml.md,
 * then `verifier/verify.ts` beside `prover/prove.ts`.
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
export { type Prover, startProver } from './thread/startProver.ts'
export * from './verifier/index.ts'
