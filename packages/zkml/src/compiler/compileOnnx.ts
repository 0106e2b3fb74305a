/**
 * ONNX to circuit, in the order of the work: read, lower, fuse, calibrate, quantise. What the file may hold is bounded in
 * `onnx/onnxModel.ts`; what the circuit lacks is refused by node and operator (`cannot_compile`).
 */
import { LIMITS } from '../circuit/checkArchitecture.ts'
import { type Model, makeModel } from '../circuit/model.ts'
import { ZkmlError } from '../errors.ts'
import {
  type FloatGraph,
  type InputForm,
  type OutputActivation,
  type Range,
  valuesOf,
} from './graph/floatGraph.ts'
import { fuseGraph } from './graph/fuse.ts'
import { lowerModel } from './graph/lower.ts'
import { readOnnx } from './onnx/readOnnx.ts'
import { calibrate } from './quantise/calibrate.ts'
import { quantise } from './quantise/quantise.ts'
import { arrangeInput } from './quantise/runFloat.ts'

/** A model of the circuit, with how the world's numbers become its input and its output the world's numbers. */
export type CompiledModel = {
  model: Model
  input: InputForm & Range
  output: Range & { name: string; activation: OutputActivation }
}

export type CompileOptions = {
  /** Name of the tensor to stop at; default the model's only output. */
  output?: string | undefined
  onProgress?: ((done: number, total: number) => void) | undefined
}

/**
 * @param samples inputs as the ONNX model takes them, flat, without the batch; a few hundred typical ones
 * @returns the compiled model, and the float graph it stands for, to compare with
 * @throws ZkmlError bad_onnx, cannot_compile, bad_data, bad_architecture or bad_model
 */
export function compileOnnx(
  bytes: Uint8Array,
  samples: readonly ArrayLike<number>[],
  { output, onProgress }: CompileOptions = {},
): { compiled: CompiledModel; graph: FloatGraph } {
  const graph = fuseGraph(lowerModel(readOnnx(bytes), output))
  if (graph.nodes.length > LIMITS.nodes)
    throw new ZkmlError('cannot_compile', `the circuit would have more than ${LIMITS.nodes} nodes`, {
      nodes: graph.nodes.length,
    })
  const quantised = quantise(graph, calibrate(graph, samples, onProgress))
  const { range: _, ...form } = graph.input
  const compiled = {
    model: makeModel(quantised.draft, quantised.parameters),
    input: { ...form, ...quantised.input },
    output: { ...quantised.output, name: graph.outputName, activation: graph.outputActivation },
  }
  return { compiled, graph }
}

/** A caller's values as the int8 input that is proved. Not part of the proof: anybody can repeat it. */
export function encodeInput({ input }: CompiledModel, values: ArrayLike<number>): number[] {
  const { scale, zeroPoint } = input
  return Array.from(arrangeInput(input, values), (x) =>
    Math.min(127, Math.max(-128, Math.round(x / scale) + zeroPoint)),
  )
}

/** How many values a caller gives. */
export function inputSize({ input }: CompiledModel): number {
  return valuesOf(input.shape)
}

/** The proven integers as the numbers the ONNX model would have given. */
export function decodeOutput({ output }: CompiledModel, integers: readonly number[]): number[] {
  const scores = integers.map((q) => (q - output.zeroPoint) * output.scale)
  return activate(output.activation, scores)
}

export function activate(activation: OutputActivation, scores: readonly number[]): number[] {
  if (activation === 'none') return [...scores]
  if (activation === 'sigmoid') return scores.map((x) => 1 / (1 + Math.exp(-x)))
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const exponentials = scores.map((x) => Math.exp(x - largest))
  const sum = exponentials.reduce((a, b) => a + b, 0)
  return activation === 'softmax'
    ? exponentials.map((x) => x / sum)
    : scores.map((x) => x - largest - Math.log(sum))
}
