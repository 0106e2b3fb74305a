/**
 * The float graph beside a living onnxruntime, on other inputs than the recorded ones. `npm run zkml:python` installs it, or
 * ASSAY_PYTHON names a Python that has it; without it the recorded vectors (`onnxVectors.test.ts`) stand in, and this says that
 * it was skipped.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { activate } from '../src/circuit/encoding.ts'
import { compileOnnx } from '../src/compiler/compileOnnx.ts'
import { runFloat } from '../src/compiler/quantise/runFloat.ts'
import { randomIntegers } from './support/models.ts'

const installed = path.join(import.meta.dirname, '..', 'python', '.venv', 'bin', 'python')
const PYTHON = process.env.ASSAY_PYTHON ?? (existsSync(installed) ? installed : 'python3')
const PROGRAM = `
import json, sys
import numpy as np, onnxruntime
model, data = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
shape = [1 if not isinstance(side, int) else side for side in session.get_inputs()[0].shape]
rows = np.array(json.load(open(data)), dtype=np.float32)
outs = [session.run(None, {session.get_inputs()[0].name: row.reshape(shape)})[0].ravel().tolist() for row in rows]
print(json.dumps(outs))
`
const found = spawnSync(PYTHON, ['-c', 'import onnxruntime'], { timeout: 300_000 })
const missing =
  found.status === 0 ? false : `${PYTHON} has no onnxruntime; install it with: npm run zkml:python`

type Vector = { name: string; onnx: string; inputs: number[][] }
const { vectors } = JSON.parse(readFileSync(new URL('../vectors/onnx.json', import.meta.url), 'utf8')) as {
  vectors: Vector[]
}

test('the float graph gives what onnxruntime gives', { skip: missing }, (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'assay-onnx-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const random = randomIntegers(77)
  for (const { name, onnx, inputs } of vectors.filter(({ name }) => !name.startsWith('QDQ'))) {
    const { graph } = compileOnnx(Buffer.from(onnx, 'base64'), inputs)
    const drawn = Array.from({ length: 5 }, () =>
      (inputs[0] as number[]).map(() => random(-3000, 3000) / 1000),
    )
    writeFileSync(path.join(folder, 'model.onnx'), Buffer.from(onnx, 'base64'))
    writeFileSync(path.join(folder, 'inputs.json'), JSON.stringify(drawn))
    const { stdout, stderr } = spawnSync(
      PYTHON,
      ['-c', PROGRAM, path.join(folder, 'model.onnx'), path.join(folder, 'inputs.json')],
      { encoding: 'utf8', timeout: 300_000 },
    )
    assert.notEqual(stdout, '', stderr)
    for (const [at, wanted] of (JSON.parse(stdout) as number[][]).entries()) {
      const scores = Array.from(runFloat(graph, drawn[at] as number[]).at(-1) ?? [])
      for (const [i, x] of activate(graph.outputActivation, scores).entries())
        assert.ok(Math.abs(x - (wanted[i] as number)) < 1e-3, `${name}, ${i}: ${x}, not ${wanted[i]}`)
    }
  }
})
