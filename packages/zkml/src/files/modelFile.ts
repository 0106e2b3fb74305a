/**
 * A compiled model (`.azk`): architecture, input and output encodings, int8 weights. One model has one file: what decodes
 * encodes to the same bytes.
 */

import { LIMITS } from '../circuit/checkArchitecture.ts'
import { decodeArchitecture, encodeArchitecture } from '../circuit/encodeArchitecture.ts'
import { makeModel, type Parameters, weightSides } from '../circuit/model.ts'
import { planCircuit } from '../circuit/planCircuit.ts'
import type { CompiledModel } from '../compiler/compileOnnx.ts'
import { type OutputActivation, valuesOf } from '../compiler/graph/floatGraph.ts'
import { ONNX_LIMITS } from '../compiler/onnx/onnxModel.ts'
import { FileReader, FileWriter } from './byteFile.ts'

const MAGIC = 'AZK1'
const MAX_ARCHITECTURE = 2 ** 23
const ACTIVATIONS: readonly OutputActivation[] = ['none', 'softmax', 'sigmoid', 'logSoftmax']

export function encodeModelFile({ model, input, output }: CompiledModel): Uint8Array {
  const writer = new FileWriter(MAGIC)
    .block(encodeArchitecture(model.plan.architecture))
    .block(new TextEncoder().encode(input.name))
    .word(input.order?.length ?? 0)
    .words(input.order ?? [])
    .word(input.factor.length)
    .doubles(input.factor.map((x) => x + 0))
    .word(input.offset.length)
    .doubles(input.offset.map((x) => x + 0))
    .doubles([input.scale])
    .block(new TextEncoder().encode(output.name))
    .doubles([output.scale])
    .word(ACTIVATIONS.indexOf(output.activation))
  for (const own of model.parameters) {
    if (own === undefined) continue
    const { buffer, byteOffset, length } = own.weights
    writer.bytes(new Uint8Array(buffer, byteOffset, length)).words(own.bias)
  }
  return writer.file()
}

/** @throws ZkmlError bad_file, bad_architecture or bad_model */
export function decodeModelFile(bytes: Uint8Array): CompiledModel {
  const reader = new FileReader(bytes, MAGIC, 'compiled model')
  const encoded = reader.block(MAX_ARCHITECTURE)
  const plan = planCircuit(decodeArchitecture(encoded))
  const { zeroPoint, ...shape } = plan.architecture.input
  const values = valuesOf(shape)
  const name = () => {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(reader.block(ONNX_LIMITS.nameBytes))
    } catch {
      return reader.refuse('a name is not UTF-8')
    }
  }
  const perValue = () => {
    const count = reader.word(LIMITS.tensor)
    if (count !== 1 && count !== values) reader.refuse('the input’s scales do not fit its shape')
    return reader.doubles(count)
  }
  const step = () => {
    const [scale] = reader.doubles(1)
    if (!((scale as number) > 0)) reader.refuse('a scale is not positive')
    return scale as number
  }
  const inputName = name()
  const order = readOrder(reader, values)
  const input = {
    name: inputName,
    shape,
    order,
    factor: perValue(),
    offset: perValue(),
    scale: step(),
    zeroPoint,
  }
  const output = {
    name: name(),
    scale: step(),
    zeroPoint: plan.tensors.at(-1)?.zeroPoint ?? 0,
    activation: ACTIVATIONS[reader.word(ACTIVATIONS.length - 1)] as OutputActivation,
  }
  const parameters = plan.nodes.map(({ node }): Parameters | undefined => {
    const sides = weightSides(node, plan.tensors)
    if (sides === undefined) return undefined
    const weights = Int8Array.from(reader.bytes(sides.units * sides.patch), (byte) => (byte << 24) >> 24)
    return { weights, bias: reader.words(sides.units) }
  })
  reader.end()
  const model = makeModel(plan.architecture, parameters)
  const own = encodeArchitecture(model.plan.architecture)
  if (own.some((byte, at) => byte !== encoded[at]))
    reader.refuse('the architecture states another reach than its weights have')
  return { model, input, output }
}

/** A permutation of the input's values, never the identity, or none. */
function readOrder(reader: FileReader, values: number): Int32Array | null {
  const count = reader.word(LIMITS.tensor)
  if (count === 0) return null
  const order = reader.words(count)
  const seen = new Set(order)
  const moved = order.some((from, at) => from !== at)
  if (count !== values || seen.size !== count || order.some((from) => from < 0 || from >= count) || !moved)
    reader.refuse('the input’s order is no permutation')
  return order
}
