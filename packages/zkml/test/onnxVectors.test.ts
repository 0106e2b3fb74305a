/** Every operator of the compiler against the outputs of onnxruntime, and its circuit against the integers and the verifier. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import { activate, decodeOutput, encodeInput } from '../src/circuit/encoding.ts'
import { compileOnnx } from '../src/compiler/compileOnnx.ts'
import { runFloat } from '../src/compiler/quantise/runFloat.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifyProof } from '../src/verifier/verify.ts'

type Vector = { name: string; onnx: string; inputs: number[][]; outputs: number[][] }

const file = new URL('../vectors/onnx.json', import.meta.url)
const { vectors, onnxruntime } = JSON.parse(readFileSync(file, 'utf8')) as {
  onnxruntime: string
  vectors: Vector[]
}
/** Of float32 sums in another order, on outputs rounded to six decimals. */
const FLOAT_TOLERANCE = 2e-4
/** Of int8 arithmetic, as a share of the outputs' spread; random weights are worse than trained ones. */
const INT8_TOLERANCE = 0.06

for (const { name, onnx, inputs, outputs } of vectors) {
  test(`${name}: as onnxruntime ${onnxruntime}, in integers and in a proof`, () => {
    const { compiled, graph } = compileOnnx(Buffer.from(onnx, 'base64'), inputs)
    const { model } = compiled
    const { architecture } = model.plan
    const spread = Math.max(...outputs.flat()) - Math.min(...outputs.flat())
    const work = createWorkspace()
    const committed = commitModel(work, model)
    for (const [at, input] of inputs.entries()) {
      const wanted = outputs[at] as number[]
      const floats = activate(graph.outputActivation, [...(runFloat(graph, input).at(-1) ?? [])])
      assert.equal(floats.length, wanted.length)
      // A model that is quantised itself rounds within; its own float graph does not.
      const tolerance = name.startsWith('QDQ') ? INT8_TOLERANCE * spread : FLOAT_TOLERANCE
      for (const [i, x] of floats.entries())
        assert.ok(Math.abs(x - (wanted[i] as number)) < tolerance, `float ${i}: ${x}, not ${wanted[i]}`)
      if (at > 2) continue
      const encoded = encodeInput(compiled, input)
      const { output, proof } = proveInference(committed, encoded)
      assert.deepEqual(output, runOverIntegers(architecture, model.parameters, encoded))
      for (const [i, x] of decodeOutput(compiled, output).entries())
        assert.ok(
          Math.abs(x - (wanted[i] as number)) < INT8_TOLERANCE * spread,
          `int8 ${i}: ${x}, not ${wanted[i]}`,
        )
      const statement = { weightsRoot: committed.commitment.root, input: encoded, output }
      assert.ok(verifyProof(architecture, statement, proof).soundness.bits >= 100)
    }
  })
}
