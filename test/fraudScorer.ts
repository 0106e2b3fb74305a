import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CompiledModel, compileOnnx, encodeModelFile } from '@assay/zkml'
import { temporaryFolder } from './temporaryFolder.ts'

const MODELS = join(import.meta.dirname, '../packages/zkml/models')

/** The scorer of card payments that a development network has, and payments that it has not seen. */
export function fraudScorer(): { compiled: CompiledModel; inputs: number[][] } {
  const read = (name: string) => readFileSync(join(MODELS, name))
  const data = JSON.parse(read('payments.json').toString()) as { calibrate: number[][]; inputs: number[][] }
  const { compiled } = compileOnnx(read('payments-mlp-4k.onnx'), data.calibrate)
  return { compiled, inputs: data.inputs }
}

/** The same as a file, which is called as the model is. */
export function fraudScorerFile(): string {
  const file = join(temporaryFolder('circuit'), 'fraud-scorer.azk')
  writeFileSync(file, encodeModelFile(fraudScorer().compiled))
  return file
}
