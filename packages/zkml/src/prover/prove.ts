/** The prover, in the order of the protocol; `verifier/verify.ts` is its mirror. */

import type { Model } from '../circuit/model.ts'
import type { Plan } from '../circuit/plan.ts'
import { checkTensor } from '../circuit/statement.ts'
import { type Commitment, commit, openColumns, rowWeights } from '../commitment/commit.ts'
import { openingBits } from '../commitment/shape.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import type { Point } from '../field/multilinear.ts'
import type { Workspace } from '../kernels/workspace.ts'
import { ProofWriter } from '../transcript/proofWriter.ts'
import { committedClaims, statementTranscript } from '../verifier/verify.ts'
import type { Columns } from './columns.ts'
import { countRows } from './countRows.ts'
import { execute } from './execute.ts'
import { proveNode } from './linear/proveNode.ts'
import type { ProverContext } from './linear/proverContext.ts'
import { proveLookups } from './proveLookups.ts'
import { proveColumnClaims } from './reduceColumns.ts'
import { proveWeightClaims } from './reduceWeights.ts'
import { storeIntegers } from './storeIntegers.ts'

/** A model committed to once, ready to prove any number of inferences. */
export type CommittedModel = {
  model: Model
  work: Workspace
  commitment: Commitment
  /** The committed int8 values on the heap. */
  weights: number
}

export type ProveStage = 'execute' | 'commit' | 'lookups' | 'layers' | 'open' | 'hide'

export type Proof = { output: number[]; proof: Uint8Array }

/** Encodes and hashes the weights; the root is half of the model's identity. */
export function commitModel(work: Workspace, model: Model): CommittedModel {
  const { shape, layout } = { shape: model.plan.weights, layout: model.layout }
  const weights = work.arena.allocate(layout.length)
  new Int8Array(work.arena.memory.buffer, weights, layout.length).set(layout)
  const commitment = commit(work, shape, () => {
    const rows = work.arena.words(layout.length)
    storeIntegers(work.arena.view(rows, layout.length), layout)
    return rows
  })
  return { model, work, commitment, weights }
}

/** Runs the model on an input without proving it. @throws ZkmlError bad_input */
export function runInference(model: Model, input: ArrayLike<number>): number[] {
  checkTensor('input', input, model.plan.architecture.input, -128, 127)
  return outputOf(model.plan, execute(model, input))
}

/**
 * Runs the model on an input and proves the run. `onStage` hears of each stage as it begins.
 * @throws ZkmlError bad_input
 */
export function proveInference(
  committed: CommittedModel,
  input: ArrayLike<number>,
  onStage: (stage: ProveStage) => void = () => {},
): Proof {
  const { model, work } = committed
  const { plan } = model
  checkTensor('input', input, plan.architecture.input, -128, 127)
  const mark = work.arena.mark()
  try {
    onStage('execute')
    const columns = execute(model, input)
    countRows(plan, columns)
    const output = outputOf(plan, columns)
    const statement = { weightsRoot: committed.commitment.root, input, output }
    const writer = new ProofWriter(statementTranscript(plan, statement))
    proveColumns(committed, columns, writer, onStage)
    return { output, proof: writer.bytes() }
  } finally {
    work.arena.release(mark)
  }
}

/** The true units of the last column. */
export function outputOf(plan: Plan, columns: Columns): number[] {
  const { channels } = plan.tensors.at(-1) as { channels: number }
  return Array.from((columns[plan.tensorValues.at(-1) as number] as Int32Array).subarray(0, channels))
}

/**
 * Writes the proof that the columns are a run of the model. It proves whatever it is given; only a proof about a true run
 * verifies. `writer` stands behind the statement.
 */
export function proveColumns(
  { model, work, commitment, weights }: CommittedModel,
  columns: Columns,
  writer: ProofWriter,
  onStage: (stage: ProveStage) => void = () => {},
): void {
  const { plan } = model
  const { arena, kernels } = work

  onStage('commit')
  const witness = storeWitness(work, plan, columns)
  const witnessCommitment = commit(work, plan.witness, () => witness)
  writer.hash('witness', witnessCommitment.root)

  const points = proveSteps({ work, plan, weights, witness }, columns, writer, onStage)
  const mark = arena.mark()
  const rowSize = 2 ** plan.witness.rowBits
  const combined = arena.words(5 * Math.max(rowSize, 2 ** plan.weights.rowBits))
  const witnessWeights = work.montgomeryList(rowWeights(plan.witness, points.witness))
  kernels.foldRowsWords(witness, plan.witness.rows, rowSize, witnessWeights, combined)
  writer.exts('witness/row', work.readVector(combined, rowSize, rowSize))
  const modelWeights = work.list(rowWeights(plan.weights, points.weights))
  const modelRow = 2 ** plan.weights.rowBits
  kernels.foldRowsInt8(weights, plan.weights.rows, modelRow, modelWeights, combined)
  writer.exts('weights/row', work.readVector(combined, modelRow, modelRow))
  arena.release(mark)
  openColumns(work, writer, 'witness', witnessCommitment)
  openColumns(work, writer, 'weights', commitment)
}

/** What is committed to, on the heap: the columns as `storeWitness` lays them out, and the weights. */
export type OnHeap = { work: Workspace; plan: Plan; weights: number; witness: number }

/**
 * Every step between the commitment to the columns and the openings; the mirror of `checkSteps`. Gives the points at which
 * both commitments are to be opened, and the row.
 */
export function proveSteps(
  { work, plan, weights, witness }: OnHeap,
  columns: Columns,
  writer: ProofWriter,
  onStage: (stage: ProveStage) => void,
): { row: Point; witness: Point; weights: Point } {
  const { transcript } = writer

  onStage('lookups')
  const keys = { alpha: transcript.challenge('lookup/alpha'), beta: transcript.challenge('lookup/beta') }
  const row = proveLookups(work, writer, plan, keys, columns)

  onStage('layers')
  const evaluations = evaluateColumns(work, plan, columns, row)
  writer.exts('columns', statedEvaluations(plan, evaluations))
  const claims = { columns: committedClaims(plan, row, evaluations), weights: [] }
  const context: ProverContext = { plan, row, evaluations, claims, columns, weights, folded: new Map() }
  for (const node of plan.nodes) proveNode(work, writer, context, node)

  onStage('open')
  const columnClaims = claims.columns.filter(({ column }) => plan.values[column]?.kind === 'committed')
  return {
    row,
    witness: proveColumnClaims(work, writer, plan, witness, columnClaims),
    weights: proveWeightClaims(work, writer, context),
  }
}

/** The committed columns as plain words, each at its offset, zero past the last. */
export function storeWitness({ arena }: Workspace, plan: Plan, columns: Columns): number {
  const size = Math.max(2 ** openingBits(plan.witness), plan.witness.rows * 2 ** plan.witness.rowBits)
  const witness = arena.words(size)
  arena.view(witness, size).fill(0)
  for (const [index, value] of plan.values.entries()) {
    if (value.kind !== 'committed') continue
    const place = arena.view(witness + 4 * value.offset, 2 ** value.bits)
    storeIntegers(place, columns[index] as Int32Array)
  }
  return witness
}

/** Every column's multilinear extension at the row. */
function evaluateColumns(work: Workspace, plan: Plan, columns: Columns, row: Point): (Ext | undefined)[] {
  const { arena, kernels } = work
  const mark = arena.mark()
  const largest = Math.max(...plan.values.map(({ bits }) => bits))
  const words = arena.words(2 ** largest)
  const out = arena.words(5)
  const tables = new Map<number, number>()
  const evaluations = plan.values.map(({ kind, bits }, index) => {
    if (kind === 'input' && !plan.inputAtRow) return undefined
    const n = 2 ** bits
    let eq = tables.get(bits)
    if (eq === undefined) {
      eq = arena.words(5 * n)
      work.expandEq(eq, n, row.slice(0, bits), ext.ONE)
      tables.set(bits, eq)
    }
    storeIntegers(arena.view(words, n), columns[index] as Int32Array)
    kernels.dotWords(words, n, eq, n, out)
    return work.readList(out, 1)[0] as Ext
  })
  arena.release(mark)
  return evaluations
}

/** What the prover states: committed columns and views; the verifier computes public tensors itself. */
function statedEvaluations(plan: Plan, evaluations: readonly (Ext | undefined)[]): Ext[] {
  return (evaluations as readonly Ext[]).filter((_, index) => {
    const kind = plan.values[index]?.kind
    return kind === 'committed' || kind === 'window'
  })
}
