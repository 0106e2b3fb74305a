/**
 * A compiled model (`.azk`): architecture, input and output encodings, int8 weights. One model has one file: what decodes
 * encodes to the same bytes.
 */

import { decodeArchitecture, encodeArchitecture } from '../circuit/encodeArchitecture.ts'
import { makeModel, type Parameters, weightSides } from '../circuit/model.ts'
import { planCircuit } from '../circuit/planCircuit.ts'
import type { CompiledModel } from '../compiler/compileOnnx.ts'
import { FileReader, FileWriter } from './byteFile.ts'
import { MAX_ARCHITECTURE, readEncodings, writeEncodings } from './encodings.ts'

const MAGIC = 'AZK1'

export function encodeModelFile({ model, input, output }: CompiledModel): Uint8Array {
  const writer = new FileWriter(MAGIC).block(encodeArchitecture(model.plan.architecture))
  writeEncodings(writer, input, output)
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
  const { input, output } = readEncodings(reader, plan)
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
