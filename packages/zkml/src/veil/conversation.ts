/**
 * The conversation in which every element is said under a pad: the steps of the `validity` protocol, unchanged, and the
 * rows that open both commitments. Run under the watch of a trace.
 */
import { ZkmlError } from '../errors.ts'
import { watched } from '../field/extension.ts'
import { checkSteps, publicTensors } from '../verifier/verify.ts'
import { isHidden, type VeiledCircuit, type VeiledStatement, veiledTranscript } from './statement.ts'
import { type Counts, countsOf, Trace } from './trace.ts'
import { BlankReader, type VeiledReader } from './veiledReader.ts'
import { type MaskedRow, type VeiledOpening, verifyVeiledRow, widened } from './verifyRow.ts'

export type Heard = {
  padsRoot: Uint8Array
  /** Of the witness, of the weights, and of the input where it is hidden. */
  rows: MaskedRow[]
}

/** Reads it, and tells the trace. @throws ZkmlError malformed_proof or invalid_proof */
export function hear(
  reader: VeiledReader,
  trace: Trace,
  { plan, witness, weights, input }: VeiledCircuit,
  statement: VeiledStatement,
): Heard {
  const { weightsRoot, use, output } = statement
  const padsRoot = reader.hash('pads')
  return watched(trace, () => {
    // Of a hidden input the plan has no public tensor, and nobody asks for its values.
    const values = isHidden(statement.input) ? [] : statement.input
    const open = checkSteps(reader, plan, publicTensors(plan, { input: values, output }))
    const openings: VeiledOpening[] = [
      { label: 'witness', shape: witness, root: open.witnessRoot, ...open.witness, use: 0 },
      { label: 'weights', shape: weights, root: weightsRoot, ...open.weights, use },
    ]
    if (input !== undefined && open.input !== undefined && isHidden(statement.input)) {
      const { point, value } = open.input
      const { root } = statement.input
      openings.push({ label: 'input', shape: input, root, point: widened(point, input), value, use: 0 })
    }
    return { padsRoot, rows: openings.map((opening) => verifyVeiledRow(reader, opening)) }
  })
}

/** How many elements any conversation about the circuit has, from one that says nothing but zeros. */
export function countConversation(circuit: VeiledCircuit): Counts {
  const { plan, proofs } = circuit
  const zeros = (tensor: number) => {
    const shape = plan.tensors.at(tensor)
    if (shape === undefined) throw new ZkmlError('bad_architecture', 'a circuit has an input and an output')
    return new Int32Array(shape.channels * shape.height * shape.width)
  }
  const root = new Uint8Array(32)
  const input = circuit.input === undefined ? zeros(0) : { root }
  const statement = { weightsRoot: root, input, output: zeros(-1), proofs, use: 0 }
  const trace = new Trace()
  const reader = new BlankReader(veiledTranscript(circuit, statement), trace)
  hear(reader, trace, circuit, statement)
  return countsOf(trace)
}
