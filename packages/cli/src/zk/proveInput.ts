import {
  type CompiledModel,
  decodeModelFile,
  decodeOutput,
  encodeInput,
  encodeProofFile,
  encodeVeiledProofFile,
  inputSize,
  proveInference,
  proveVeiled,
} from '@assay/zkml'
import { CliError, EXIT } from '../cliError.ts'
import type { Progress } from '../up/progress.ts'
import { writeFileAtomic } from '../up/writeFileAtomic.ts'
import { mustBeWritable, readUserFile } from '../userFile.ts'
import { hideModel } from './hiddenModel.ts'
import { writeOpening } from './inputOpening.ts'
import { commitTo } from './modelIdentity.ts'
import { readSamples } from './readSamples.ts'
import { openVeil, spendMask, type Veil } from './veilFolder.ts'

export const MAX_MODEL_BYTES = 2 ** 29

export type ProveResult = {
  file: string
  bytes: number
  /** What the proof hides: `validity` nothing, `zk` weights and intermediate values. */
  kind: 'validity' | 'zk'
  modelRoot: string
  /** The proven integers, and what they mean in the model's own numbers. */
  output: number[]
  scores: number[]
  provedInMilliseconds: number
}

export type ProveCommand = {
  input: string
  index: number
  out: string
  /** Hides weights and intermediate values. */
  hiding?: true
  /** Hides the input too, and writes what shows it to an auditor beside the proof. */
  hideInput?: true
  /** The folder with the model's masks, and how many proofs they are to be good for where there is none yet. */
  veil?: string
  proofs?: number
}

/** Proves the model's answer to one input of a data file. */
export async function proveInput(
  modelFile: string,
  command: ProveCommand,
  progress: Progress,
): Promise<ProveResult> {
  // Before a mask is spent, and minutes.
  mustBeWritable(command.out)
  const compiled = decodeModelFile(readUserFile(modelFile, MAX_MODEL_BYTES, 'a compiled model'))
  const encoded = encodeInput(compiled, sampleOf(command.input, command.index, inputSize(compiled)))
  const veil = veilOf(modelFile, command)
  const proved =
    veil === undefined
      ? await convince(compiled, encoded, progress)
      : await hide(compiled, veil, encoded, command, progress)
  const { file, output, root, milliseconds } = proved
  writeFileAtomic(command.out, file, 0o644)
  return {
    file: command.out,
    bytes: file.length,
    kind: veil === undefined ? 'validity' : 'zk',
    modelRoot: root,
    output,
    scores: decodeOutput(compiled, output),
    provedInMilliseconds: milliseconds,
  }
}

/** @throws CliError where masks are named that nothing is to be hidden by */
function veilOf(modelFile: string, { hiding, hideInput, veil, proofs }: ProveCommand): Veil | undefined {
  if (hiding === true) return openVeil(veil ?? `${modelFile}.veil`, proofs)
  if (veil === undefined && proofs === undefined && hideInput === undefined) return undefined
  throw new CliError('Masks are for proofs that hide.', {
    exitCode: EXIT.usage,
    code: 'usage',
    next: 'add --hiding, or leave --hide-input, --veil and --proofs out',
  })
}

type Proved = { file: Uint8Array; output: number[]; root: string; milliseconds: number }

/** A `validity` proof. */
async function convince(compiled: CompiledModel, input: number[], progress: Progress): Promise<Proved> {
  const { committed, root } = await commitTo(compiled, progress)
  const { output, proof, milliseconds } = await timedProof(progress, (onStage) =>
    proveInference(committed, input, onStage),
  )
  const statement = { weightsRoot: committed.commitment.root, input, output }
  const file = encodeProofFile({ architecture: compiled.model.plan.architecture, statement, proof })
  return { file, output, root, milliseconds }
}

/** A `zk` proof. The mask is spent before anything is said under it, and stays so if proving fails. */
async function hide(
  compiled: CompiledModel,
  veil: Veil,
  input: number[],
  { hideInput, out }: ProveCommand,
  progress: Progress,
): Promise<Proved> {
  const { veiled, root } = await hideModel(compiled, veil, progress)
  const inputSeed = hideInput && writeOpening(out)
  const use = spendMask(veil)
  const { output, proof, statement, milliseconds } = await timedProof(progress, (onStage) =>
    proveVeiled(veiled, input, use, { inputSeed, onStage }),
  )
  const file = encodeVeiledProofFile({ architecture: compiled.model.plan.architecture, statement, proof })
  return { file, output, root, milliseconds }
}

function timedProof<T extends { proof: Uint8Array }>(
  progress: Progress,
  prove: (onStage: (stage: string) => void) => T,
) {
  return progress.step(
    'prove',
    async (detail) => {
      const started = performance.now()
      const proved = prove(detail)
      return { ...proved, milliseconds: performance.now() - started }
    },
    ({ proof }) => `${proof.length} bytes`,
  )
}

/** One sample of a data file, of the size that the model takes where that is known. @throws CliError */
export function sampleOf(file: string, index: number, size?: number): readonly number[] {
  const { inputs } = readSamples(file)
  const values = inputs[index]
  if (values === undefined)
    throw new CliError('The data has no such sample.', {
      exitCode: EXIT.usage,
      code: 'bad_data',
      facts: { file, index, samples: inputs.length },
    })
  if (size !== undefined && values.length !== size)
    throw new CliError('The sample does not fit the model.', {
      exitCode: EXIT.failed,
      code: 'bad_data',
      facts: { file, index, values: values.length, wanted: size },
    })
  return values
}
