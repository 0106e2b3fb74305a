/** TensorProto: numbers of the types that quantised and float models use. */

import { ONNX_LIMITS, type OnnxTensor } from './onnxModel.ts'
import { badOnnx, readMessage } from './readMessage.ts'

/** TensorProto.DataType, as onnx.proto3 numbers them: bytes of one element, and how to read it. */
const TYPES: Record<
  number,
  { size: number; integer: boolean; read: (view: DataView, at: number) => number }
> = {
  1: { size: 4, integer: false, read: (view, at) => view.getFloat32(at, true) },
  2: { size: 1, integer: true, read: (view, at) => view.getUint8(at) },
  3: { size: 1, integer: true, read: (view, at) => view.getInt8(at) },
  6: { size: 4, integer: true, read: (view, at) => view.getInt32(at, true) },
  7: { size: 8, integer: true, read: (view, at) => Number(view.getBigInt64(at, true)) },
  9: { size: 1, integer: true, read: (view, at) => view.getUint8(at) },
  11: { size: 8, integer: false, read: (view, at) => view.getFloat64(at, true) },
}
const TYPE_NAMES: Record<number, string> = { 8: 'string', 10: 'float16', 14: 'complex64', 16: 'bfloat16' }
export const FLOAT = 1

/** Product of dimensions. @throws ZkmlError bad_onnx past the bound */
function elementsOf(dims: readonly number[], name: string): number {
  let elements = 1
  if (dims.length > ONNX_LIMITS.rank) badOnnx('a tensor has too many dimensions', { tensor: name })
  for (const side of dims) {
    if (!Number.isInteger(side) || side < 0) badOnnx('a tensor has a negative side', { tensor: name, side })
    elements *= side
    if (elements > ONNX_LIMITS.elements)
      badOnnx(`a tensor has more than ${ONNX_LIMITS.elements} numbers`, {
        tensor: name,
        dims: dims.join('×'),
      })
  }
  return elements
}

/** @throws ZkmlError bad_onnx, for not-a-number and infinity too: no weight can be either */
export function readTensor(bytes: Uint8Array): { name: string; tensor: OnnxTensor } {
  const dims: number[] = []
  const listed: number[] = []
  let name = ''
  let type = 0
  let raw: Uint8Array | undefined
  readMessage(bytes, (field) => {
    if (field.number === 1) field.numbers(dims, 'int64', ONNX_LIMITS.rank)
    else if (field.number === 2) type = field.integer()
    else if (field.number === 4) field.numbers(listed, 'float', ONNX_LIMITS.elements)
    else if (field.number === 5 || field.number === 7) field.numbers(listed, 'int64', ONNX_LIMITS.elements)
    else if (field.number === 8) name = field.text()
    else if (field.number === 9) raw = field.bytes()
    else if (field.number === 10) field.numbers(listed, 'double', ONNX_LIMITS.elements)
    else if (field.number === 13 || (field.number === 14 && field.integer() === 1))
      badOnnx(
        'a tensor lies in another file',
        { tensor: name },
        'save the model with its tensors inside, e.g. onnx.save(model, path, save_as_external_data=False)',
      )
    else return field.number === 14
    return true
  })
  const form = TYPES[type]
  if (form === undefined)
    return badOnnx(
      'a tensor is of a type that is not read',
      { tensor: name, type: TYPE_NAMES[type] ?? type },
      'export the model in float32, or quantised to int8 with QuantizeLinear and DequantizeLinear',
    )
  const elements = elementsOf(dims, name)
  const found = raw === undefined ? listed.length : raw.length / form.size
  if (found !== elements)
    badOnnx('a tensor does not hold as many numbers as its shape says', {
      tensor: name,
      dims: dims.join('×'),
      wanted: elements,
      found,
    })
  const data = form.integer ? new Float64Array(elements) : new Float32Array(elements)
  const view = raw && new DataView(raw.buffer, raw.byteOffset, raw.length)
  for (let at = 0; at < elements; at++) {
    const value = view === undefined ? (listed[at] as number) : form.read(view, at * form.size)
    if (!Number.isFinite(value)) badOnnx('a tensor holds a number that is not finite', { tensor: name, at })
    data[at] = value
  }
  return { name, tensor: { dims, integer: form.integer, elementType: type, data } }
}
