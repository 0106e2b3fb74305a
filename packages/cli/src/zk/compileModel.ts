import { type Accuracy, type CompiledModel, compileOnnx, encodeModelFile, measureAccuracy } from '@assay/zkml'
import { table } from '../output.ts'
import type { Progress } from '../up/progress.ts'
import { writeFileAtomic } from '../up/writeFileAtomic.ts'
import { mustBeWritable, readUserFile } from '../userFile.ts'
import { commitTo, parameterCount } from './modelIdentity.ts'
import { readSamples } from './readSamples.ts'

export type CompileCommand = {
  calibrate: string
  test?: string
  output?: string
  out: string
}

const MAX_ONNX_BYTES = 2 ** 29

export type CompileResult = {
  file: string
  bytes: number
  modelRoot: string
  parameters: number
  layers: { operator: string; shape: string }[]
  input: { name: string; values: number }
  output: { name: string; values: number; activation: string }
  calibratedOn: number
  /** Null where no data was given to measure it on. */
  accuracy: Accuracy | null
}

export async function compileModel(
  onnx: string,
  { calibrate, test, output, out }: CompileCommand,
  progress: Progress,
): Promise<CompileResult> {
  mustBeWritable(out)
  const bytes = readUserFile(onnx, MAX_ONNX_BYTES, 'an ONNX model')
  const data = readSamples(calibrate)
  const held = test === undefined ? data : readSamples(test)
  const { compiled, graph } = await progress.step(
    'compile',
    async (detail) => {
      const onProgress = (done: number, total: number) => detail(`calibrating, ${done} of ${total} runs`)
      return compileOnnx(bytes, data.calibrate, { output, onProgress })
    },
    ({ compiled }) => `${parameterCount(compiled)} parameters`,
  )
  // Accuracy is only said about data that calibration has not seen, or that the user names.
  const measured = test !== undefined || held.inputs !== held.calibrate
  const accuracy = measured
    ? await progress.step('accuracy', async () => measureAccuracy(compiled, graph, held.inputs, held.labels))
    : null
  const { root } = await commitTo(compiled, progress)
  const file = encodeModelFile(compiled)
  writeFileAtomic(out, file, 0o644)
  return {
    file: out,
    bytes: file.length,
    modelRoot: root,
    ...describeModel(compiled),
    calibratedOn: data.calibrate.length,
    accuracy,
  }
}

function describeModel(compiled: CompiledModel) {
  const { tensors, architecture } = compiled.model.plan
  const size = (at: number) => {
    const { channels, height, width } = tensors[at] as (typeof tensors)[number]
    return { shape: `${channels} × ${height} × ${width}`, values: channels * height * width }
  }
  return {
    parameters: parameterCount(compiled),
    layers: architecture.nodes.map(({ op }, at) => ({ operator: op, shape: size(at + 1).shape })),
    input: { name: compiled.input.name, values: size(0).values },
    output: {
      name: compiled.output.name,
      values: size(tensors.length - 1).values,
      activation: compiled.output.activation,
    },
  }
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

export function describeCompiled(result: CompileResult): string {
  const { accuracy } = result
  const rows: [string, string][] = [
    ['model root', result.modelRoot],
    ['parameters', String(result.parameters)],
    ['input', `${result.input.name}, ${result.input.values} values`],
    ['layers', result.layers.map(({ operator, shape }) => `${operator} ${shape}`).join(' → ')],
    ['output', `${result.output.name}, ${result.output.values} values`],
  ]
  if (result.output.activation !== 'none')
    rows.push([
      'not proved',
      `${result.output.activation}: it is applied to the proven scores by their reader`,
    ])
  rows.push(['calibrated on', `${result.calibratedOn} samples`])
  if (accuracy === null)
    rows.push(['accuracy', 'not measured: give --test, or data with "inputs" beside "calibrate"'])
  else {
    rows.push([
      'same decision',
      `${percent(accuracy.agreement)} of ${accuracy.samples} samples, as the float model`,
    ])
    if (accuracy.floatAccuracy !== undefined && accuracy.compiledAccuracy !== undefined)
      rows.push([
        'right',
        `${percent(accuracy.floatAccuracy)} in float32, ${percent(accuracy.compiledAccuracy)} in int8`,
      ])
    rows.push([
      'output error',
      `${accuracy.meanAbsoluteError.toPrecision(2)} mean, ${accuracy.largestError.toPrecision(2)} largest`,
    ])
  }
  return `${table(rows)}\nwritten  ${result.file} (${result.bytes} bytes)\n`
}
