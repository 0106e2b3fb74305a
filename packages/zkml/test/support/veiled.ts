/** Small models for proofs that hide, and a prover that lies about one thing said. */
import type { Model } from '../../src/circuit/model.ts'
import { layOutTensor } from '../../src/circuit/statement.ts'
import { P } from '../../src/field/babyBear.ts'
import type { Ext } from '../../src/field/extension.ts'
import * as ext from '../../src/field/extension.ts'
import type { Columns } from '../../src/prover/columns.ts'
import { execute } from '../../src/prover/execute.ts'
import { outputOf } from '../../src/prover/prove.ts'
import { storeIntegers } from '../../src/prover/storeIntegers.ts'
import type { VeiledModel } from '../../src/prover/veil/commitHidden.ts'
import { commitVeiled, type VeiledCommitment } from '../../src/prover/veil/commitVeiled.ts'
import { drawPads } from '../../src/prover/veil/provePads.ts'
import { proveHidden } from '../../src/prover/veil/proveVeiled.ts'
import { type Randomness, seededRandomness } from '../../src/prover/veil/randomness.ts'
import { VeiledWriter } from '../../src/prover/veil/veiledWriter.ts'
import type { Transcript } from '../../src/transcript/transcript.ts'
import { type VeiledStatement, veiledTranscript } from '../../src/veil/statement.ts'
import { verifyVeiledProof } from '../../src/veil/verifyVeiled.ts'
import { countWhatFits } from './maliciousProver.ts'
import { smallPerceptron } from './models.ts'

export const tinyModel: Model = smallPerceptron(3, [4, 6, 3])
export const seedOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

export type Lie = {
  /** Another value meant than the true one, by label and place among the label's elements. */
  meant?: { label: string; at: number }
  /** Another pad used than the one committed to. */
  pad?: number
  /** Elements shown in the clear that are not what they should be. */
  clear?: { label: string; at: number }
  /** The committed pads and triples changed before they are committed to. */
  elements?: (elements: Ext[]) => void
  columns?: (columns: Columns) => void
  /** Told of what is shown in the clear. */
  heard?: (label: string, values: readonly Ext[]) => void
  statement?: Partial<VeiledStatement>
  /** Hides the input; what is committed to may be another one, and no int8 either. */
  hides?: readonly number[]
  random?: Randomness
  transcript?: (statement: VeiledStatement) => Transcript
}

const off = (value: Ext): Ext => ext.add(value, ext.ONE)

class LyingWriter extends VeiledWriter {
  readonly #lie: Lie
  readonly #heard = new Map<string, number>()

  constructor(transcript: Transcript, pads: readonly Ext[], lie: Lie) {
    super(
      transcript,
      pads.map((pad, at) => (at === lie.pad ? off(pad) : pad)),
    )
    this.#lie = lie
  }

  override exts(label: string, values: readonly Ext[]): void {
    super.exts(label, this.#bend(this.#lie.meant, label, values))
  }

  override clear(label: string, values: readonly Ext[]): void {
    this.#lie.heard?.(label, values)
    super.clear(label, this.#bend(this.#lie.clear, label, values))
  }

  #bend(lie: Lie['meant'], label: string, values: readonly Ext[]): Ext[] {
    const before = this.#heard.get(label) ?? 0
    this.#heard.set(label, before + values.length)
    return values.map((value, at) => (lie?.label === label && lie.at === before + at ? off(value) : value))
  }
}

export type Forged = { statement: VeiledStatement; proof: Uint8Array; writer: VeiledWriter; elements: Ext[] }

export function forgeVeiled(
  veiled: VeiledModel,
  input: readonly number[],
  use: number,
  lie: Lie = {},
): Forged {
  const { model, work } = veiled
  const { circuit, counts } = lie.hides === undefined ? veiled : veiled.inputHidden
  const columns = execute(model, input)
  lie.columns?.(columns)
  countWhatFits(circuit.plan, columns)
  const mark = work.arena.mark()
  const hiddenInput = lie.hides && commitUnchecked(veiled, lie.hides)
  const statement: VeiledStatement = {
    weightsRoot: veiled.weights.commitment.root,
    input: hiddenInput === undefined ? input : { root: hiddenInput.commitment.root },
    output: outputOf(circuit.plan, columns),
    proofs: circuit.proofs,
    use,
    ...lie.statement,
  }
  const random = lie.random ?? seededRandomness(seedOf(99))
  const begin = () => lie.transcript?.(statement) ?? veiledTranscript(circuit, statement)
  const drawn = drawPads(random, counts)
  const elements = [...drawn]
  lie.elements?.(elements)
  const writer = new LyingWriter(begin(), elements, lie)
  proveHidden(veiled, { statement, columns, hiddenInput, elements, random, begin }, writer)
  work.arena.release(mark)
  return { statement, proof: writer.bytes(), writer, elements }
}

/** A commitment to an input that nobody looks at. */
function commitUnchecked({ work, inputHidden }: VeiledModel, input: readonly number[]): VeiledCommitment {
  const { plan, input: shape } = inputHidden.circuit
  if (shape === undefined) throw new TypeError('the circuit does not hide its input')
  const { rows, rowBits } = shape.values
  const words = new Uint32Array(rows * 2 ** rowBits)
  const laidOut = layOutTensor(input, plan.architecture.input, plan.architecture.input.zeroPoint)
  storeIntegers(words.subarray(0, laidOut.length), laidOut)
  return commitVeiled(work, shape, () => words, seededRandomness(seedOf(97)), 'input')
}

/** Why the verifier refuses, or undefined if it does not. */
export function veiledRefusal(
  { model }: VeiledModel,
  { statement, proof }: Pick<Forged, 'statement' | 'proof'>,
): string | undefined {
  try {
    verifyVeiledProof(model.plan.architecture, statement, proof)
    return undefined
  } catch (error) {
    if (error instanceof Error && error.name === 'ZkmlError') return error.message.split('\n')[0]
    throw error
  }
}

/** Rank of a matrix over the base field, by elimination. */
export function rankOf(
  matrix: readonly Uint32Array[],
  field: { mul: (a: number, b: number) => number; inverse: (a: number) => number },
): number {
  const rows = matrix.map((row) => row.slice())
  let rank = 0
  for (let column = 0; column < (rows[0]?.length ?? 0) && rank < rows.length; column++) {
    const pivot = rows.findIndex((row, at) => at >= rank && row[column] !== 0)
    if (pivot < 0) continue
    const [own] = rows.splice(pivot, 1) as [Uint32Array<ArrayBuffer>]
    rows.splice(rank, 0, own)
    const scale = field.inverse(own[column] as number)
    for (let at = rank + 1; at < rows.length; at++) {
      const row = rows[at] as Uint32Array
      const factor = field.mul(row[column] as number, scale)
      if (factor === 0) continue
      for (let place = column; place < row.length; place++)
        row[place] = ((row[place] as number) + P - field.mul(factor, own[place] as number)) % P
    }
    rank++
  }
  return rank
}
