/** The verification of one proof, written down; and of none, which gives the program of the model. */
import type { Plan } from '../circuit/plan.ts'
import { planCircuit } from '../circuit/planCircuit.ts'
import {
  checkSizes,
  modelRootOf,
  outputPadding,
  publicBounds,
  type Statement,
  tensorHash,
} from '../circuit/statement.ts'
import { watched } from '../field/extension.ts'
import type { ModelCard } from '../files/modelCard.ts'
import { absorbStatement, checkProof, type StatementHashes } from '../verifier/verify.ts'
import { recordColumns } from './recordColumns.ts'
import { Recorder } from './recorder.ts'
import { RecordingReader } from './recordingReader.ts'
import { RecordingTranscript } from './recordingTranscript.ts'
import { recordTensor } from './recordTensor.ts'
import { rootOf, wordTree } from './wordTree.ts'

export type Recorded = {
  /** Gates, 32 bytes each: the same for every proof of a model. */
  program: Uint8Array
  /** Their values, 32 bytes each. */
  tape: Uint8Array
  /** Gates that do not hold: none, if the verifier takes the proof. */
  violated: readonly number[]
}

/**
 * Writes the verification of a proof down, true or false. A proof that is too short is filled up with zeros, one that is
 * too long is read no further; neither has a tape of its own.
 * @param signed whether the receipt was signed for these hashes
 * @throws ZkmlError bad_input where the tensors have other sizes than the model's
 */
export function recordProof(
  card: Pick<ModelCard, 'architecture' | 'weightsRoot'>,
  tensors: Pick<Statement, 'input' | 'output'>,
  proof: Uint8Array,
  signed: (hashes: StatementHashes) => boolean = () => true,
): Recorded {
  const plan = planCircuit(card.architecture)
  const statement = { ...tensors, weightsRoot: card.weightsRoot }
  checkSizes(plan, statement)
  const recorder = new Recorder()
  watched(recorder, () => record(recorder, plan, statement, proof, signed))
  const { program, tape, violated } = recorder
  return { program, tape, violated }
}

function record(
  recorder: Recorder,
  plan: Plan,
  statement: Statement,
  proof: Uint8Array,
  signed: (hashes: StatementHashes) => boolean,
): void {
  const bounds = publicBounds(plan)
  const weightsRoot = statement.weightsRoot.slice()
  const hashes = {
    modelRoot: modelRootOf(plan, weightsRoot),
    inputHash: tensorHash(statement.input),
    outputHash: tensorHash(statement.output),
  }
  recorder.put('weights', {}, weightsRoot)
  recorder.put('model', {}, hashes.modelRoot)
  const a = recorder.put('word', {}, hashes.inputHash)
  const b = recorder.put('word', {}, hashes.outputHash)
  recorder.check('statement', { a, b }, signed(hashes))
  const rests = { input: plan.architecture.input.zeroPoint, output: outputPadding(plan) }
  const tensors = {
    input: recordTensor(recorder, statement.input, bounds.input, hashes.inputHash, rests.input),
    output: recordTensor(recorder, statement.output, bounds.output, hashes.outputHash, rests.output),
  }
  const transcript = absorbStatement(new RecordingTranscript(recorder), hashes)
  const reader = new RecordingReader(proof, transcript, recorder)
  checkProof(reader, plan, {
    weightsRoot,
    tensors,
    openColumns: (_, opening, row) => recordColumns(recorder, reader, opening, row),
  })
}

/** What a publisher registers of a model beside its root: by which steps its proofs are checked. */
export type Program = { root: Uint8Array; gates: number }

/** Programs of the last models that were asked for: a program takes longer to make than a proof to verify. */
const programs = new Map<string, Program>()
const MOST_PROGRAMS = 32

/** The program of a model: what verifying any proof of it does. */
export function programOf(card: Pick<ModelCard, 'architecture' | 'weightsRoot' | 'modelRoot'>): Program {
  const name = card.modelRoot.join()
  const known = programs.get(name)
  if (known !== undefined) return known
  const program = recordProgram(card)
  const made = { root: tapeRoot(program), gates: program.length / 32 }
  const [oldest] = programs.keys()
  if (programs.size >= MOST_PROGRAMS && oldest !== undefined) programs.delete(oldest)
  programs.set(name, made)
  return made
}

/** Its gates, 32 bytes each. */
export function recordProgram({
  architecture,
  weightsRoot,
}: Pick<ModelCard, 'architecture' | 'weightsRoot'>): Uint8Array {
  const { input, output } = publicBounds(planCircuit(architecture))
  const zeros = ({ shape }: typeof input) => new Int32Array(shape.channels * shape.height * shape.width)
  const blank = { input: zeros(input), output: zeros(output) }
  return recordProof({ architecture, weightsRoot }, blank, new Uint8Array()).program
}

/** The root under which a program's gates or a tape's values can be shown. */
export function tapeRoot(words: Uint8Array): Uint8Array {
  return rootOf(wordTree(words))
}
