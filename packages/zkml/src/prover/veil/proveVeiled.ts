/** The prover of proofs that hide, in the order of the protocol; `veil/verifyVeiled.ts` is its mirror. */
import { checkTensor } from '../../circuit/statement.ts'
import { openColumns } from '../../commitment/commit.ts'
import { openingBits } from '../../commitment/shape.ts'
import type { Ext } from '../../field/extension.ts'
import * as ext from '../../field/extension.ts'
import type { Transcript } from '../../transcript/transcript.ts'
import { combineConstraints } from '../../veil/constraints.ts'
import { hear } from '../../veil/conversation.ts'
import { checkVeiledStatement, type VeiledStatement, veiledTranscript } from '../../veil/statement.ts'
import { Trace } from '../../veil/trace.ts'
import { VeiledReader } from '../../veil/veiledReader.ts'
import { widened } from '../../veil/verifyRow.ts'
import type { Columns } from '../columns.ts'
import { countRows } from '../countRows.ts'
import { execute } from '../execute.ts'
import { outputOf, type Proof, type ProveStage, proveSteps, storeWitness } from '../prove.ts'
import { commitHiddenInput, type VeiledModel } from './commitHidden.ts'
import { commitVeiled, openVeiledRow, type VeiledCommitment } from './commitVeiled.ts'
import { hiddenValues } from './hidden.ts'
import { commitPads, drawPads, provePads } from './provePads.ts'
import { freshRandomness, type Randomness } from './randomness.ts'
import { VeiledWriter } from './veiledWriter.ts'

/** A proof, and the statement that it is about. */
export type VeiledProof = Proof & { statement: VeiledStatement }

export type VeiledOptions = {
  /** Hides the input too, under masks that follow from this seed, which must be a fresh one for every proof. */
  inputSeed?: Uint8Array | undefined
  /** Hears of each stage as it begins. */
  onStage?: (stage: ProveStage) => void
}

/**
 * Runs the model on an input and proves the run. `use` says which of the commitment's masks to spend: no two proofs may
 * spend one, which the caller must have made sure of durably. @throws ZkmlError bad_input
 */
export function proveVeiled(
  veiled: VeiledModel,
  input: ArrayLike<number>,
  use: number,
  { inputSeed, onStage = () => {} }: VeiledOptions = {},
): VeiledProof {
  const { model, work } = veiled
  const { circuit, counts } = inputSeed === undefined ? veiled : veiled.inputHidden
  checkTensor('input', input, circuit.plan.architecture.input, -128, 127)
  onStage('execute')
  const columns = execute(model, input)
  countRows(circuit.plan, columns)
  const output = outputOf(circuit.plan, columns)
  const weightsRoot = veiled.weights.commitment.root
  const mark = work.arena.mark()
  try {
    const hiddenInput = inputSeed && commitHiddenInput(work, circuit.plan.architecture, input, inputSeed)
    const shown = hiddenInput === undefined ? input : { root: hiddenInput.commitment.root }
    const statement: VeiledStatement = { weightsRoot, input: shown, output, proofs: circuit.proofs, use }
    checkVeiledStatement(circuit, statement)
    const random = freshRandomness()
    const begin = () => veiledTranscript(circuit, statement)
    const elements = drawPads(random, counts)
    const writer = new VeiledWriter(begin(), elements)
    proveHidden(veiled, { statement, columns, hiddenInput, elements, random, begin }, writer, onStage)
    return { output, proof: writer.bytes(), statement }
  } finally {
    work.arena.release(mark)
  }
}

/** A run to be proved, and what hides it. */
export type HiddenRun = {
  statement: VeiledStatement
  columns: Columns
  /** Undefined where the input is public. */
  hiddenInput?: VeiledCommitment | undefined
  /** As `drawPads` draws them. */
  elements: readonly Ext[]
  random: Randomness
  /** The transcript behind the statement. */
  begin: () => Transcript
}

/**
 * Writes the proof that the columns are a run of the model. It proves whatever it is given; only a proof about a true run
 * verifies. `writer` stands behind the statement and pads with the first of the elements.
 */
export function proveHidden(
  veiled: VeiledModel,
  { statement, columns, hiddenInput, elements, random, begin }: HiddenRun,
  writer: VeiledWriter,
  onStage: (stage: ProveStage) => void = () => {},
): void {
  const { work, weights } = veiled
  const { circuit, counts, pads: shape } = hiddenInput === undefined ? veiled : veiled.inputHidden
  const { plan } = circuit

  onStage('commit')
  const pads = commitPads(work, shape, elements, random)
  writer.hash('pads', pads.commitment.root)
  const witness = storeWitness(work, plan, columns)
  const witnessWords = () => work.arena.view(witness, 2 ** openingBits(plan.witness))
  const hidden = commitVeiled(work, circuit.witness, witnessWords, random, 'witness')
  writer.hash('witness', hidden.commitment.root)

  const points = proveSteps({ work, plan, weights: veiled.values, witness }, columns, writer, onStage)
  openVeiledRow(work, writer, 'witness', hidden, 0, points.witness)
  openVeiledRow(work, writer, 'weights', weights, statement.use, points.weights)
  if (hiddenInput !== undefined) {
    const bits = plan.values[plan.tensorValues[0] as number]?.bits
    const point = widened(points.row.slice(0, bits), hiddenInput.shape)
    openVeiledRow(work, writer, 'input', hiddenInput, 0, point)
  }

  onStage('hide')
  const trace = new Trace()
  hear(new VeiledReader(writer.bytes(), begin(), trace), trace, circuit, statement)
  satisfy(writer, trace, elements.slice(counts.said + counts.late), (spoken) =>
    provePads(writer, pads, spoken),
  )
  openColumns(work, writer, 'witness', hidden.commitment)
  openColumns(work, writer, 'weights', weights.commitment)
  if (hiddenInput !== undefined) openColumns(work, writer, 'input', hiddenInput.commitment)
  openColumns(work, writer, 'pads', pads.commitment)
}

/** Says the products, shows them against their triples, and hands on the weights of the one inner product left. */
function satisfy(
  writer: VeiledWriter,
  trace: Trace,
  triples: readonly Ext[],
  prove: (weights: readonly Ext[]) => void,
): void {
  const values = hiddenValues(trace, writer.meant)
  const { transcript } = writer
  writer.exts(
    'pads/late',
    trace.late.map((at) => values[at] as Ext),
  )
  const factor = transcript.challenge('pads/factor')
  const shown = trace.products.flatMap((product, at) => {
    const { x, y } = trace.nodes[product] as { x: number; y: number }
    return [
      ext.sub(ext.mul(factor, values[x] as Ext), triples[3 * at] as Ext),
      ext.sub(values[y] as Ext, triples[3 * at + 1] as Ext),
    ]
  })
  writer.clear('pads/shown', shown)
  const challenge = transcript.challenge('pads/constraints')
  prove(combineConstraints(trace, { padded: writer.padded, factor, shown }, challenge).weights)
}
