/**
 * Trained models from ONNX: what int8 costs in accuracy on inputs that neither training nor calibration has seen, and what
 * their proofs cost. `packages/zkml/models/train.py` makes the models and says where their data comes from.
 */
import { existsSync, readFileSync } from 'node:fs'
import {
  commitModel,
  compileOnnx,
  createWorkspace,
  encodeInput,
  measureAccuracy,
  proveInference,
  verifyProof,
} from '@assay/zkml'
import { number, printTable } from '../table.ts'
import { measure, milliseconds } from './measure.ts'
import { parameterCount } from './models.ts'

const MODELS = [
  ['payments-mlp-4k', 'payments'],
  ['digits-mlp-17k', 'digits'],
  ['digits-mlp-100k', 'digits'],
  ['digits-cnn-267k', 'digits'],
  ['digits-transformer-9k', 'digits'],
  ['digits-mlp-1m', 'digits'],
  ['digits-mlp-4m', 'digits'],
] as const
const FOLDER = new URL('../../../packages/zkml/models/', import.meta.url)
const [WARM_UP, RUNS] = [3, 7]

type Data = { calibrate: number[][]; inputs: number[][]; labels: number[] }

export function benchTrained(): void {
  const rows: string[][] = []
  for (const [name, dataName] of MODELS) {
    const file = new URL(`${name}.onnx`, FOLDER)
    if (existsSync(file)) {
      const data = JSON.parse(readFileSync(new URL(`${dataName}.json`, FOLDER), 'utf8')) as Data
      rows.push(benchOne(name, readFileSync(file), data))
    } else rows.push([name, ...new Array<string>(9).fill('–')])
  }
  const head = [
    'model',
    'parameters',
    'inputs',
    'right, float32',
    'right, int8',
    'same decision',
    'compile',
    'prove',
    'verify',
    'kB',
  ]
  printTable('Trained models from ONNX: accuracy before and after quantisation, and their proofs', head, rows)
  if (rows.some((row) => row[1] === '–'))
    console.log('– not in the repository for its size: packages/zkml/models/train.py makes it, and says how.')
}

function benchOne(name: string, onnx: Uint8Array, { calibrate, inputs, labels }: Data): string[] {
  const started = performance.now()
  const { compiled, graph } = compileOnnx(onnx, calibrate)
  const compileSeconds = (performance.now() - started) / 1000
  const accuracy = measureAccuracy(compiled, graph, inputs, labels)
  const { model } = compiled
  const committed = commitModel(createWorkspace(), model)
  const encoded = (at: number) => encodeInput(compiled, inputs[at] as number[])
  let proved = proveInference(committed, encoded(0))
  const prove = measure(WARM_UP + RUNS, (at) => {
    proved = proveInference(committed, encoded(at))
  })
  const statement = {
    weightsRoot: committed.commitment.root,
    input: encoded(WARM_UP + RUNS - 1),
    output: proved.output,
  }
  const verify = measure(WARM_UP + RUNS, () => verifyProof(model.plan.architecture, statement, proved.proof))
  const percent = (share: number | undefined) => `${number(100 * (share ?? 0), 1)} %`
  return [
    name,
    number(parameterCount(model)),
    number(accuracy.samples),
    percent(accuracy.floatAccuracy),
    percent(accuracy.compiledAccuracy),
    percent(accuracy.agreement),
    `${number(compileSeconds, 1)} s`,
    milliseconds(prove),
    milliseconds(verify),
    number(proved.proof.length / 1000, 1),
  ]
}
