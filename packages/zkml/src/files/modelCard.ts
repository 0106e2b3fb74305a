/**
 * A model's card: all of a compiled model but its weights, for whose root it stands. Who holds it can turn a caller's
 * numbers into the tensors that a proof is about, and verify the proof. One model has one card, and one card one encoding.
 */
import type { Architecture } from '../circuit/architecture.ts'
import { decodeArchitecture, encodeArchitecture } from '../circuit/encodeArchitecture.ts'
import type { InputEncoding, OutputEncoding } from '../circuit/encoding.ts'
import { planCircuit } from '../circuit/planCircuit.ts'
import { modelRootOf } from '../circuit/statement.ts'
import { FileReader, FileWriter } from './byteFile.ts'
import { MAX_ARCHITECTURE, readEncodings, writeEncodings } from './encodings.ts'

const MAGIC = 'AZC1'

export type ModelCard = {
  architecture: Architecture
  weightsRoot: Uint8Array
  /** keccak(tag ‖ keccak(architecture) ‖ weightsRoot). */
  modelRoot: Uint8Array
  input: InputEncoding
  output: OutputEncoding
}

export function encodeModelCard({
  architecture,
  weightsRoot,
  input,
  output,
}: Omit<ModelCard, 'modelRoot'>): Uint8Array {
  const writer = new FileWriter(MAGIC).block(encodeArchitecture(architecture)).bytes(weightsRoot)
  writeEncodings(writer, input, output)
  return writer.file()
}

/** @throws ZkmlError bad_file or bad_architecture */
export function decodeModelCard(bytes: Uint8Array): ModelCard {
  const reader = new FileReader(bytes, MAGIC, 'model card')
  const architecture = decodeArchitecture(reader.block(MAX_ARCHITECTURE))
  const plan = planCircuit(architecture)
  const weightsRoot = reader.bytes(32).slice()
  const encodings = readEncodings(reader, plan)
  reader.end()
  return { architecture, weightsRoot, modelRoot: modelRootOf(plan, weightsRoot), ...encodings }
}
