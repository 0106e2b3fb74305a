import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decodeOutput, encodeInput } from '../src/circuit/encoding.ts'
import { compileOnnx } from '../src/compiler/compileOnnx.ts'
import { runFloat } from '../src/compiler/quantise/runFloat.ts'
import { ZkmlError } from '../src/errors.ts'
import { decodeModelFile, encodeModelFile } from '../src/files/modelFile.ts'
import { decodeProofFile, encodeProofFile } from '../src/files/proofFile.ts'
import {
  decodeVeiledProofFile,
  encodeVeiledProofFile,
  isVeiledProofFile,
} from '../src/files/veiledProofFile.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference, runInference } from '../src/prover/prove.ts'
import { commitVeiledModel } from '../src/prover/veil/commitHidden.ts'
import { proveVeiled } from '../src/prover/veil/proveVeiled.ts'
import { verifyVeiledProof } from '../src/veil/verifyVeiled.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { randomIntegers } from './support/models.ts'

type Vector = { name: string; onnx: string; inputs: number[][] }
const { vectors } = JSON.parse(readFileSync(new URL('../vectors/onnx.json', import.meta.url), 'utf8')) as {
  vectors: Vector[]
}

test('a compiled model comes back from its file as it was, byte by byte', () => {
  for (const { onnx, inputs } of vectors) {
    const { compiled, graph } = compileOnnx(Buffer.from(onnx, 'base64'), inputs)
    const file = encodeModelFile(compiled)
    const back = decodeModelFile(file)
    assert.deepEqual(encodeModelFile(back), file)
    const input = inputs[0] as number[]
    assert.deepEqual(encodeInput(back, input), encodeInput(compiled, input))
    const output = runInference(back.model, encodeInput(back, input))
    assert.equal(decodeOutput(back, output).length, runFloat(graph, input).at(-1)?.length)
  }
})

/** Decodes, or is refused with an error of ours; what decodes must be canonical. */
function holdsCanonical(decode: (bytes: Uint8Array) => Uint8Array, bytes: Uint8Array): void {
  try {
    assert.deepEqual(decode(bytes), bytes)
  } catch (error) {
    assert.ok(error instanceof ZkmlError, String((error as Error).stack))
  }
}

const small = vectors.find(({ name }) => name.startsWith('an input with channels last')) as Vector
const { compiled } = compileOnnx(Buffer.from(small.onnx, 'base64'), small.inputs)
const modelFile = encodeModelFile(compiled)
const committed = commitModel(createWorkspace(), compiled.model)
const input = encodeInput(compiled, small.inputs[0] as number[])
const { output, proof } = proveInference(committed, input)
const statement = { weightsRoot: committed.commitment.root, input, output }
const proofFile = encodeProofFile({ architecture: compiled.model.plan.architecture, statement, proof })

test('a proof comes back from its file and verifies', () => {
  const back = decodeProofFile(proofFile)
  assert.deepEqual(back.statement, statement)
  assert.ok(verifyProof(back.architecture, back.statement, back.proof).soundness.bits >= 100)
})

const veiled = commitVeiledModel(createWorkspace(), compiled.model, new Uint8Array(32), 1)
const hidden = proveVeiled(veiled, input, 0)
const weightsRoot = veiled.weights.commitment.root
const hiddenFile = encodeVeiledProofFile({
  architecture: compiled.model.plan.architecture,
  statement: { weightsRoot, input, output: hidden.output, proofs: 1, use: 0 },
  proof: hidden.proof,
})

test('a proof that hides comes back from its file and verifies; neither reader takes the file of the other', () => {
  const back = decodeVeiledProofFile(hiddenFile)
  assert.equal(verifyVeiledProof(back.architecture, back.statement, back.proof).kind, 'zk')
  assert.deepEqual([isVeiledProofFile(hiddenFile), isVeiledProofFile(proofFile)], [true, false])
  assert.throws(() => decodeProofFile(hiddenFile), { code: 'bad_file' })
  assert.throws(() => decodeVeiledProofFile(proofFile), { code: 'bad_file' })
  const without = { ...back, statement: { ...back.statement, input: { root: new Uint8Array(32).fill(7) } } }
  assert.deepEqual(decodeVeiledProofFile(encodeVeiledProofFile(without)), without)
})

for (const [name, file, decode] of [
  ['model', modelFile, (bytes: Uint8Array) => encodeModelFile(decodeModelFile(bytes))],
  ['proof', proofFile, (bytes: Uint8Array) => encodeProofFile(decodeProofFile(bytes))],
  ['hiding proof', hiddenFile, (bytes: Uint8Array) => encodeVeiledProofFile(decodeVeiledProofFile(bytes))],
] as const) {
  test(`a ${name} file that is cut, longer or changed is refused, or another canonical file`, () => {
    for (let cut = 0; cut < 64; cut++)
      assert.throws(() => decode(file.subarray(0, Math.floor((cut * file.length) / 64))), ZkmlError)
    assert.throws(() => decode(Uint8Array.from([...file, 0])), { code: 'bad_file' })
    assert.throws(() => decode(Uint8Array.from([...file.slice(0, 3), 0x39, ...file.slice(4)])), {
      code: 'bad_file',
    })
    const random = randomIntegers(23)
    for (let run = 0; run < 200; run++) {
      const changed = file.slice()
      changed[random(0, Math.min(600, file.length - 1))] = random(0, 255)
      holdsCanonical(decode, changed)
    }
  })
}
