/** ONNX files written field by field, so that a test can write wrong ones. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

type Fill = (writer: BinaryWriter) => void

export function message(fill: Fill): Uint8Array {
  const writer = new BinaryWriter()
  fill(writer)
  return writer.finish()
}

export const bytesField = (writer: BinaryWriter, field: number, bytes: Uint8Array) =>
  writer.tag(field, WireType.LengthDelimited).bytes(bytes)
export const textField = (writer: BinaryWriter, field: number, text: string) =>
  writer.tag(field, WireType.LengthDelimited).string(text)
export const intField = (writer: BinaryWriter, field: number, value: number | bigint) =>
  writer.tag(field, WireType.Varint).int64(value)

export type TensorFile = {
  name: string
  dims: readonly (number | bigint)[]
  type?: number
  data?: readonly number[]
  raw?: Uint8Array
  extra?: Fill
}

export function tensorFile({ name, dims, type = 1, data = [], raw, extra }: TensorFile): Uint8Array {
  return message((writer) => {
    for (const side of dims) intField(writer, 1, side)
    intField(writer, 2, type)
    textField(writer, 8, name)
    const bytes = raw ?? new Uint8Array(Float32Array.from(data).buffer)
    bytesField(writer, 9, bytes)
    extra?.(writer)
  })
}

export type AttributeFile = { name: string; fill: Fill }

export const intAttribute = (name: string, value: number): AttributeFile => ({
  name,
  fill: (writer) => intField(intField(writer, 20, 2), 3, value),
})
export const intsAttribute = (name: string, values: readonly number[]): AttributeFile => ({
  name,
  fill: (writer) => {
    for (const value of values) intField(writer, 8, value)
    intField(writer, 20, 7)
  },
})
export const floatAttribute = (name: string, value: number): AttributeFile => ({
  name,
  fill: (writer) => intField(writer.tag(2, WireType.Bit32).float(value), 20, 1),
})

export type NodeFile = {
  op: string
  inputs: readonly string[]
  outputs: readonly string[]
  name?: string
  domain?: string
  attributes?: readonly AttributeFile[]
}

export function nodeFile({
  op,
  inputs,
  outputs,
  name = '',
  domain = '',
  attributes = [],
}: NodeFile): Uint8Array {
  return message((writer) => {
    for (const input of inputs) textField(writer, 1, input)
    for (const output of outputs) textField(writer, 2, output)
    textField(writer, 3, name)
    textField(writer, 4, op)
    for (const { name: attribute, fill } of attributes)
      bytesField(
        writer,
        5,
        message((inner) => {
          textField(inner, 1, attribute)
          fill(inner)
        }),
      )
    textField(writer, 7, domain)
  })
}

export function inputFile(name: string, dims: readonly (number | string)[], type = 1): Uint8Array {
  const dimension = (side: number | string) =>
    message((writer) => (typeof side === 'number' ? intField(writer, 1, side) : textField(writer, 2, side)))
  const shape = message((writer) => {
    for (const side of dims) bytesField(writer, 1, dimension(side))
  })
  const tensor = message((writer) => bytesField(intField(writer, 1, type), 2, shape))
  return message((writer) =>
    bytesField(
      textField(writer, 1, name),
      2,
      message((t) => bytesField(t, 1, tensor)),
    ),
  )
}

export type ModelFile = {
  nodes?: readonly (NodeFile | Uint8Array)[]
  tensors?: readonly (TensorFile | Uint8Array)[]
  inputs?: readonly Uint8Array[]
  outputs?: readonly string[]
  opset?: number
  graphExtra?: Fill
  modelExtra?: Fill
}

export function onnxFile(parts: ModelFile): Uint8Array {
  const { nodes = [], tensors = [], inputs = [inputFile('x', ['batch', 2])], outputs = ['y'] } = parts
  const graph = message((writer) => {
    for (const node of nodes) bytesField(writer, 1, node instanceof Uint8Array ? node : nodeFile(node))
    for (const tensor of tensors)
      bytesField(writer, 5, tensor instanceof Uint8Array ? tensor : tensorFile(tensor))
    for (const input of inputs) bytesField(writer, 11, input)
    for (const output of outputs) bytesField(writer, 12, inputFile(output, ['batch', 'values']))
    parts.graphExtra?.(writer)
  })
  return message((writer) => {
    intField(writer, 1, 8)
    bytesField(writer, 7, graph)
    bytesField(
      writer,
      8,
      message((set) => intField(textField(set, 1, ''), 2, parts.opset ?? 17)),
    )
    parts.modelExtra?.(writer)
  })
}
