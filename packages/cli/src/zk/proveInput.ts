import {
  decodeModelFile,
  decodeOutput,
  encodeInput,
  encodeProofFile,
  inputSize,
  proveInference,
} from '@assay/zkml'
import { CliError, EXIT } from '../cliError.ts'
import type { Progress } from '../up/progress.ts'
import { writeFileAtomic } from '../up/writeFileAtomic.ts'
import { readUserFile } from '../userFile.ts'
import { commitTo } from './modelIdentity.ts'
import { readSamples } from './readSamples.ts'

export const MAX_MODEL_BYTES = 2 ** 29

export type ProveResult = {
  file: string
  bytes: number
  modelRoot: string
  /** The proven integers, and what they mean in the model's own numbers. */
  output: number[]
  scores: number[]
  provedInMilliseconds: number
}

/** Proves the model's answer to one input of a data file. */
export async function proveInput(
  modelFile: string,
  { input, index, out }: { input: string; index: number; out: string },
  progress: Progress,
): Promise<ProveResult> {
  const compiled = decodeModelFile(readUserFile(modelFile, MAX_MODEL_BYTES, 'a compiled model'))
  const values = sampleOf(input, index, inputSize(compiled))
  const { committed, root } = await commitTo(compiled, progress)
  const encoded = encodeInput(compiled, values)
  const { output, proof, milliseconds } = await progress.step(
    'prove',
    async (detail) => {
      const started = performance.now()
      const proved = proveInference(committed, encoded, (stage) => detail(stage))
      return { ...proved, milliseconds: performance.now() - started }
    },
    ({ proof }) => `${proof.length} bytes`,
  )
  const statement = { weightsRoot: committed.commitment.root, input: encoded, output }
  const file = encodeProofFile({ architecture: compiled.model.plan.architecture, statement, proof })
  writeFileAtomic(out, file, 0o644)
  return {
    file: out,
    bytes: file.length,
    modelRoot: root,
    output,
    scores: decodeOutput(compiled, output),
    provedInMilliseconds: milliseconds,
  }
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
