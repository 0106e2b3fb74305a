/** Trained models on data that training never saw: as onnxruntime answered, hardly worse in int8, and proved. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import { activate, decodeOutput, encodeInput } from '../src/circuit/encoding.ts'
import { compileOnnx } from '../src/compiler/compileOnnx.ts'
import { measureAccuracy } from '../src/compiler/measureAccuracy.ts'
import { runFloat } from '../src/compiler/quantise/runFloat.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifyProof } from '../src/verifier/verify.ts'

type Data = {
  calibrate: number[][]
  inputs: number[][]
  labels: number[]
  onnxruntime: { version: string; outputs: Record<string, number[][]>; decisions: Record<string, number[]> }
}

const folder = new URL('../models/', import.meta.url)

for (const [name, dataName, samples] of [
  ['payments-mlp-4k', 'payments', 500],
  ['digits-mlp-17k', 'digits', 500],
  ['digits-mlp-100k', 'digits', 300],
  ['digits-cnn-267k', 'digits', 60],
  ['digits-transformer-9k', 'digits', 300],
] as const) {
  test(`${name}: int8 decides as float32 does, and its answers are proved`, () => {
    const data = JSON.parse(readFileSync(new URL(`${dataName}.json`, folder), 'utf8')) as Data
    const { compiled, graph } = compileOnnx(
      readFileSync(new URL(`${name}.onnx`, folder)),
      data.calibrate.slice(0, 64),
    )
    const outputs = data.onnxruntime.outputs[name] as number[][]
    for (const [at, wanted] of outputs.entries()) {
      const scores = Array.from(runFloat(graph, data.inputs[at] as number[]).at(-1) ?? [])
      for (const [i, x] of activate(graph.outputActivation, scores).entries())
        assert.ok(Math.abs(x - (wanted[i] as number)) < 1e-3, `${at}: ${x}, not ${wanted[i]}`)
    }
    const accuracy = measureAccuracy(
      compiled,
      graph,
      data.inputs.slice(0, samples),
      data.labels.slice(0, samples),
    )
    assert.ok(accuracy.agreement >= 0.985, `same decision in ${accuracy.agreement}`)
    assert.ok((accuracy.compiledAccuracy as number) >= (accuracy.floatAccuracy as number) - 0.015)

    const committed = commitModel(createWorkspace(), compiled.model)
    const input = encodeInput(compiled, data.inputs[0] as number[])
    const { output, proof } = proveInference(committed, input)
    const { architecture } = compiled.model.plan
    assert.deepEqual(output, runOverIntegers(architecture, compiled.model.parameters, input))
    const statement = { weightsRoot: committed.commitment.root, input, output }
    assert.ok(verifyProof(architecture, statement, proof).soundness.bits >= 100)
    const scores = decodeOutput(compiled, output)
    const decision =
      scores.length === 1 ? Number((scores[0] as number) > 0.5) : scores.indexOf(Math.max(...scores))
    assert.equal(decision, data.onnxruntime.decisions[name]?.[0])
  })
}
