import { mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileOnnx, encodeModelFile } from '@assay/zkml'
import type { Home } from '../home.ts'
import { writeFileAtomic } from './writeFileAtomic.ts'

const MODELS = fileURLToPath(new URL('../../../zkml/models', import.meta.url))

/** A scorer of card payments, compiled from what is shipped, so that its file is of this version of the circuit. */
function compileFraudScorer(): Uint8Array {
  const read = (name: string) => readFileSync(path.join(MODELS, name))
  const { calibrate } = JSON.parse(read('payments.json').toString()) as { calibrate: number[][] }
  return encodeModelFile(compileOnnx(read('payments-mlp-4k.onnx'), calibrate).compiled)
}

const fraudScorerFile = (home: Home) => path.join(home.data('circuits'), 'fraud-scorer.azk')

/** Writes the circuit that every development network has. */
export function prepareCircuits(home: Home): void {
  mkdirSync(home.data('circuits'), { recursive: true })
  writeFileAtomic(fraudScorerFile(home), compileFraudScorer(), 0o644)
}

/** The circuits of the development network: its own, whose answers are proved, and those that the user names. */
export function circuitFiles(home: Home): string[] {
  const given = process.env.ASSAY_CIRCUITS
  const own = given === undefined || given === '' ? [] : given.split(path.delimiter)
  return [fraudScorerFile(home), ...own.map((file) => path.resolve(file))]
}
