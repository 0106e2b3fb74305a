/**
 * ONNX to circuit, in the order of the work: read, lower, fuse, calibrate, quantise. What the file may hold is bounded in
 * `onnx/onnxModel.ts`; what the circuit lacks is refused by node and operator (`cannot_compile`).
 */
import { LIMITS } from '../circuit/checkArchitecture.ts'
import type { InputEncoding, OutputEncoding } from '../circuit/encoding.ts'
import { type Model, makeModel } from '../circuit/model.ts'
import { ZkmlError } from '../errors.ts'
import type { FloatGraph } from './graph/floatGraph.ts'
import { fuseGraph } from './graph/fuse.ts'
import { lowerModel } from './graph/lower.ts'
import { readOnnx } from './onnx/readOnnx.ts'
import { calibrate } from './quantise/calibrate.ts'
import { quantise } from './quantise/quantise.ts'

/** A model of the circuit, with how the world's numbers become its input and its output the world's numbers. */
export type CompiledModel = {
  model: Model
  input: InputEncoding
  output: OutputEncoding
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
