/** Every operator under the veil: one circuit of each recorded network, proved hidden, against the integers. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import { encodeInput } from '../src/circuit/encoding.ts'
import { compileOnnx } from '../src/compiler/compileOnnx.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitVeiledModel } from '../src/prover/veil/commitHidden.ts'
import { proveVeiled } from '../src/prover/veil/proveVeiled.ts'
import { verifyVeiledProof } from '../src/veil/verifyVeiled.ts'

type Vector = { name: string; onnx: string; inputs: number[][] }
const { vectors } = JSON.parse(readFileSync(new URL('../vectors/onnx.json', import.meta.url), 'utf8')) as {
  vectors: Vector[]
}

test('every recorded network gives a proof that hides, of the output that the integers give', () => {
  const operators = new Set<string>()
  for (const { name, onnx, inputs } of vectors) {
    const { compiled } = compileOnnx(Buffer.from(onnx, 'base64'), inputs)
    const { plan, parameters } = compiled.model
    for (const { op } of plan.architecture.nodes) operators.add(op)
    const veiled = commitVeiledModel(createWorkspace(), compiled.model, new Uint8Array(32).fill(3), 1)
    const input = encodeInput(compiled, inputs[0] as number[])
    for (const inputSeed of [undefined, new Uint8Array(32)]) {
      const { output, proof, statement } = proveVeiled(veiled, input, 0, { inputSeed })
      assert.deepEqual(output, runOverIntegers(plan.architecture, parameters, input), name)
      const { soundness, hidesInput } = verifyVeiledProof(plan.architecture, statement, proof)
      assert.equal(hidesInput, inputSeed !== undefined)
      assert.ok(soundness.bits >= 100, `${name}: ${soundness.bits} bits`)
    }
  }
  const all = ['combine', 'contract', 'conv2d', 'dense', 'map', 'maxPool', 'sumPool']
  assert.deepEqual([...operators].sort(), all)
})
