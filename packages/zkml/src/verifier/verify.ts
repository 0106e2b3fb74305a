/**
 * The verifier, in the order of the protocol (docs/zkml.md). It holds no prover code, touches no network, file or clock,
 * and reads every byte of the proof exactly once.
 */
import type { Architecture } from '../circuit/architecture.ts'
import type { Plan } from '../circuit/plan.ts'
import { planCircuit } from '../circuit/planCircuit.ts'
import {
  checkStatement,
  layOutTensor,
  modelRootOf,
  outputPadding,
  PROTOCOL,
  type Statement,
  tensorHash,
} from '../circuit/statement.ts'
import { type OpenColumns, verifyColumns, verifyCombinedRow } from '../commitment/verifyOpening.ts'
import { ZkmlError } from '../errors.ts'
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import { evaluateIntegers, type Point } from '../field/multilinear.ts'
import { checkLeaves, type Fingerprint, verifyFractionTree } from '../lookup/verifyLookups.ts'
import { type Soundness, soundnessOf } from '../soundness/soundness.ts'
import { ProofReader } from '../transcript/proofReader.ts'
import { Transcript } from '../transcript/transcript.ts'
import type { Claims, ColumnClaim } from './claims.ts'
import { verifyNode } from './linear/verifyNode.ts'
import { type ReducedClaim, reduceColumnClaims, reduceWeightClaims } from './reduceClaims.ts'

/** What a valid proof shows. It is a `validity` proof: it convinces, and does not promise to hide anything. */
export type Verified = StatementHashes & { kind: 'validity'; soundness: Soundness }

/** A statement by the hashes that stand for it, which a receipt commits to. */
export type StatementHashes = { modelRoot: Uint8Array; inputHash: Uint8Array; outputHash: Uint8Array }

function hashesOf(plan: Plan, { weightsRoot, input, output }: Statement): StatementHashes {
  return {
    modelRoot: modelRootOf(plan, weightsRoot),
    inputHash: tensorHash(input),
    outputHash: tensorHash(output),
  }
}

/** The transcript after the statement; both sides start from it. */
export function statementTranscript(plan: Plan, statement: Statement): Transcript {
  return absorbStatement(new Transcript(PROTOCOL), hashesOf(plan, statement))
}

/** A transcript absorbs the statement first. */
export function absorbStatement<T extends Transcript>(
  transcript: T,
  { modelRoot, inputHash, outputHash }: StatementHashes,
): T {
  transcript.absorb('model', modelRoot)
  transcript.absorb('input', inputHash)
  transcript.absorb('output', outputHash)
  return transcript
}

/**
 * Verifies that the model (`architecture` and `weightsRoot`) on `input` gave `output`.
 * @throws ZkmlError bad_architecture, bad_input, malformed_proof or invalid_proof
 */
export function verifyProof(architecture: Architecture, statement: Statement, proof: Uint8Array): Verified {
  const plan = planCircuit(architecture)
  checkStatement(plan, statement)
  const reader = new ProofReader(proof, statementTranscript(plan, statement))
  const { weightsRoot } = statement
  checkProof(reader, plan, {
    weightsRoot,
    tensors: publicTensors(plan, statement),
    openColumns: verifyColumns,
  })
  reader.end()
  return { kind: 'validity', ...hashesOf(plan, statement), soundness: soundnessOf(plan) }
}

/** What a proof is checked against: the model's weights by their root, and the public tensors at any point. */
export type Checked = {
  weightsRoot: Uint8Array
  tensors: { input(point: Point): Ext; output(point: Point): Ext }
  openColumns: OpenColumns
}

/** Every step of the protocol but for the proof's length. @throws ZkmlError malformed_proof or invalid_proof */
export function checkProof(reader: ProofReader, plan: Plan, checked: Checked): void {
  const { tensors, openColumns, weightsRoot } = checked
  const { witnessRoot, witness, weights } = checkSteps(reader, plan, tensors)
  const checkWitness = verifyCombinedRow(
    reader,
    { label: 'witness', shape: plan.witness, root: witnessRoot, ...witness },
    openColumns,
  )
  const checkWeights = verifyCombinedRow(
    reader,
    { label: 'weights', shape: plan.weights, root: weightsRoot, ...weights },
    openColumns,
  )
  checkWitness()
  checkWeights()
}

/** What the commitments to witness and weights must open to, once every other step holds. */
export type ToOpen = {
  witnessRoot: Uint8Array
  witness: ReducedClaim
  weights: ReducedClaim
  /** What a committed input is at the row; undefined where the input is public. */
  input: ReducedClaim | undefined
}

/** Every step before the openings. @throws ZkmlError malformed_proof or invalid_proof */
export function checkSteps(reader: ProofReader, plan: Plan, tensors: Checked['tensors']): ToOpen {
  const { witnessRoot, keys } = beginLookups(reader)
  const leaves = verifyFractionTree(reader, plan.leafBits)

  const evaluations = receiveEvaluations(reader, plan, tensors, leaves.point)
  checkLeaves(plan, keys, leaves, evaluations)

  const claims: Claims = { columns: committedClaims(plan, leaves.point, evaluations), weights: [] }
  const context = { plan, row: leaves.point, evaluations, claims }
  for (const node of plan.nodes) verifyNode(reader, context, node)

  const columns = settlePublic(plan, tensors, claims.columns)
  const witness = reduceColumnClaims(reader, plan, columns)
  const weights = reduceWeightClaims(reader, plan, claims.weights)
  return { witnessRoot, witness, weights, input: committedInput(plan, leaves.point, evaluations) }
}

/** The input's evaluation at the row, if the prover committed to it. */
function committedInput(
  plan: Plan,
  row: Point,
  evaluations: readonly (Ext | undefined)[],
): ReducedClaim | undefined {
  const [column] = plan.tensorValues as [number]
  const value = plan.values[column]
  if (value?.kind !== 'committed') return undefined
  return { point: row.slice(0, value.bits), value: evaluations[column] as Ext }
}

/** The commitment to the columns, and the challenges that their lookups are fingerprinted with. */
function beginLookups(reader: ProofReader): { witnessRoot: Uint8Array; keys: Fingerprint } {
  const { transcript } = reader
  const witnessRoot = reader.hash('witness')
  const keys = { alpha: transcript.challenge('lookup/alpha'), beta: transcript.challenge('lookup/beta') }
  return { witnessRoot, keys }
}

/**
 * Every column at the row: committed columns and views by the prover's word, public tensors computed here, the input
 * only where a node asks for it.
 */
function receiveEvaluations(
  reader: ProofReader,
  plan: Plan,
  tensors: Checked['tensors'],
  row: Point,
): (Ext | undefined)[] {
  const stated = plan.values.filter(({ kind }) => kind === 'committed' || kind === 'window').length
  const received = reader.exts('columns', stated)
  let next = 0
  return plan.values.map(({ kind, bits }) => {
    if (kind === 'input') return plan.inputAtRow ? tensors.input(row.slice(0, bits)) : undefined
    if (kind === 'output') return tensors.output(row.slice(0, bits))
    return received[next++] as Ext
  })
}

/** The public tensors' extensions, computed from the statement. */
export function publicTensors(
  plan: Plan,
  { input, output }: Pick<Statement, 'input' | 'output'>,
): Checked['tensors'] {
  const shape = plan.architecture.input
  return {
    input: (point) => evaluateIntegers(layOutTensor(input, shape, shape.zeroPoint), point, shape.zeroPoint),
    output: (point) => evaluateIntegers(output, point, outputPadding(plan)),
  }
}

/** The claims that the prover's evaluations at the row amount to. */
export function committedClaims(
  plan: Plan,
  row: Point,
  evaluations: readonly (Ext | undefined)[],
): ColumnClaim[] {
  return plan.values.flatMap((value, column) =>
    value.kind === 'committed'
      ? [{ column, point: row.slice(0, value.bits), value: evaluations[column] as Ext }]
      : [],
  )
}

/** Claims about the public input are checked on the spot; the rest is for the commitment. */
function settlePublic(
  plan: Plan,
  tensors: Checked['tensors'],
  claims: readonly ColumnClaim[],
): ColumnClaim[] {
  return claims.filter(({ column, point, value }) => {
    if (plan.values[column]?.kind !== 'input') return true
    if (!ext.equals(tensors.input(point), value))
      throw new ZkmlError('invalid_proof', 'the proof is about another input')
    return false
  })
}
