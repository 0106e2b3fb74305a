/** Random networks as ONNX files: the circuit is near the float graph, the prover's run is the integers', its proof holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { runOverIntegers } from '../src/checker/runOverIntegers.ts'
import { decodeOutput, encodeInput } from '../src/circuit/encoding.ts'
import { compileOnnx } from '../src/compiler/compileOnnx.ts'
import { runFloat } from '../src/compiler/quantise/runFloat.ts'
import { decodeModelFile, encodeModelFile } from '../src/files/modelFile.ts'
import { createWorkspace } from '../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../src/prover/prove.ts'
import { verifyProof } from '../src/verifier/verify.ts'
import { randomIntegers } from './support/models.ts'
import {
  floatAttribute,
  inputFile,
  intAttribute,
  intsAttribute,
  type NodeFile,
  onnxFile,
  type TensorFile,
} from './support/onnxFile.ts'

type Image = { channels: number; height: number; width: number }

/** Nodes and tensors, one layer after the other, and the shape that they have come to. */
class Network {
  readonly nodes: NodeFile[] = []
  readonly tensors: TensorFile[] = []
  readonly random: (low: number, high: number) => number
  /** Names of tensors by their shape, to add them up. */
  readonly #seen = new Map<string, string[]>()
  /** Whether nothing but scales and shifts of the input was made so far. */
  #isBare = true
  at = 'x'
  shape: Image

  constructor(seed: number) {
    this.random = randomIntegers(seed)
    this.shape = { channels: this.random(1, 4), height: this.random(2, 7), width: this.random(2, 7) }
  }

  tensor(dims: readonly number[], scale: number): string {
    const name = `c${this.tensors.length}`
    const size = dims.reduce((a, b) => a * b, 1)
    const data = Array.from({ length: size }, () => (this.random(-1000, 1000) / 1000) * scale)
    this.tensors.push({ name, dims, data })
    return name
  }

  node(op: string, inputs: readonly string[], shape: Image, attributes: NodeFile['attributes'] = []): void {
    this.at = `t${this.nodes.length + 1}`
    this.nodes.push({ op, name: `${op}_${this.nodes.length}`, inputs, outputs: [this.at], attributes })
    this.shape = shape
    // The compiler reads the input in one form alone: of its scales and shifts the last one, before anything else.
    const isScaled = inputs[1]?.startsWith('c') === true && (op === 'Mul' || op === 'Add')
    if (!isScaled) this.#isBare = false
    else if (this.#isBare) this.#seen.clear()
    const key = JSON.stringify(shape)
    this.#seen.set(key, [...(this.#seen.get(key) ?? []), this.at])
  }

  grow(): void {
    const { channels, height, width } = this.shape
    const kind = this.random(0, 7)
    if (kind <= 1) {
      const groups = this.random(0, 1) === 0 ? channels : 1
      const made = groups === 1 ? this.random(1, 6) : channels * this.random(1, 3)
      const [tall, wide] = [this.random(1, Math.min(3, height)), this.random(1, Math.min(3, width))]
      const [pad, stride] = [this.random(0, 1), this.random(1, 2)]
      const seen = channels / groups
      const scale = 2 / Math.sqrt(seen * tall * wide)
      const inputs = [this.at, this.tensor([made, seen, tall, wide], scale), this.tensor([made], 0.5)]
      const side = (length: number, window: number) => Math.floor((length + 2 * pad - window) / stride) + 1
      const shape = { channels: made, height: side(height, tall), width: side(width, wide) }
      this.node('Conv', inputs, shape, [
        intAttribute('group', groups),
        intsAttribute('pads', [pad, pad, pad, pad]),
        intsAttribute('strides', [stride, stride]),
      ])
    } else if (kind === 2) {
      const op = ['Relu', 'Sigmoid', 'Tanh', 'HardSwish', 'Softplus'][this.random(0, 4)] as string
      this.node(op, [this.at], this.shape)
    } else if (kind === 3) this.node('LeakyRelu', [this.at], this.shape, [floatAttribute('alpha', 0.2)])
    else if (kind === 4) {
      const op = this.random(0, 1) === 0 ? 'Mul' : 'Add'
      this.node(op, [this.at, this.tensor(this.random(0, 1) === 0 ? [channels, 1, 1] : [], 1.5)], this.shape)
    } else if (kind === 5) {
      const alike = this.#seen.get(JSON.stringify(this.shape)) ?? []
      const other = alike[this.random(0, Math.max(0, alike.length - 1))]
      if (other !== undefined)
        this.node(this.random(0, 1) === 0 ? 'Add' : 'Sub', [this.at, other], this.shape)
    } else if (height > 1 && width > 1) {
      const op = kind === 6 ? 'MaxPool' : 'AveragePool'
      const shape = { channels, height: Math.floor(height / 2), width: Math.floor(width / 2) }
      this.node(op, [this.at], shape, [
        intsAttribute('kernel_shape', [2, 2]),
        intsAttribute('strides', [2, 2]),
      ])
    }
  }

  finish(): Uint8Array {
    const input = inputFile('x', ['batch', this.shape.channels, this.shape.height, this.shape.width])
    for (let layers = this.random(1, 7); layers > 0; layers--) this.grow()
    const { channels, height, width } = this.shape
    const values = channels * height * width
    this.node('Flatten', [this.at], { channels: values, height: 1, width: 1 })
    const units = this.random(1, 5)
    const weights = this.tensor([values, units], 2 / Math.sqrt(values))
    this.node('MatMul', [this.at, weights], { channels: units, height: 1, width: 1 })
    return onnxFile({ nodes: this.nodes, tensors: this.tensors, inputs: [input], outputs: [this.at] })
  }
}

function compiledNetwork(seed: number) {
  const network = new Network(seed)
  const { channels, height, width } = network.shape
  const file = network.finish()
  const samples = Array.from({ length: 12 }, () =>
    Array.from({ length: channels * height * width }, () => network.random(-2000, 2000) / 1000),
  )
  return { samples, ...compileOnnx(file, samples) }
}

test('a hundred networks, always the same, are near their float graphs', () => {
  let [close, count] = [0, 0]
  for (let seed = 1; seed <= 100; seed++) {
    const { compiled, graph, samples } = compiledNetwork(seed)
    const floats = samples.map((sample) => Array.from(runFloat(graph, sample).at(-1) as Float64Array))
    const spread = Math.max(...floats.flat().map(Math.abs), 1e-3)
    for (const [at, sample] of samples.slice(0, 2).entries()) {
      const input = encodeInput(compiled, sample)
      const output = runOverIntegers(compiled.model.plan.architecture, compiled.model.parameters, input)
      for (const [i, x] of decodeOutput(compiled, output).entries()) {
        count++
        if (Math.abs(x - (floats[at]?.[i] as number)) < 0.06 * spread) close++
      }
    }
  }
  // Random weights can cancel, so that one output in many is further off than trained networks are.
  assert.ok(close / count > 0.98, `${close} of ${count} within 6 % of the outputs’ spread`)
})

test('random networks: equal to the integers, proved, and the same from their files', () => {
  const work = createWorkspace()
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
      const { compiled, samples } = compiledNetwork(seed)
      const { architecture } = compiled.model.plan
      const mark = work.arena.mark()
      const committed = commitModel(work, compiled.model)
      for (const sample of samples.slice(0, 2)) {
        const input = encodeInput(compiled, sample)
        const { output, proof } = proveInference(committed, input)
        assert.deepEqual(output, runOverIntegers(architecture, compiled.model.parameters, input))
        const statement = { weightsRoot: committed.commitment.root, input, output }
        assert.ok(verifyProof(architecture, statement, proof).soundness.bits >= 100)
      }
      work.arena.release(mark)
      assert.deepEqual(encodeModelFile(decodeModelFile(encodeModelFile(compiled))), encodeModelFile(compiled))
    }),
    { numRuns: 40 },
  )
})
