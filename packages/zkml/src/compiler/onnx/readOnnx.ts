/**
 * ONNX files, by the field numbers of onnx.proto3 (ONNX 1.23). Everything in one is hostile: sizes and counts are bounded
 * (`ONNX_LIMITS`), nesting is fixed since subgraphs are refused, and no length is believed before its bytes are there.
 */
import {
  ONNX_LIMITS,
  type OnnxAttribute,
  type OnnxInput,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from './onnxModel.ts'
import { badOnnx, readMessage } from './readMessage.ts'
import { readTensor } from './readTensor.ts'

/** @throws ZkmlError bad_onnx */
export function readOnnx(bytes: Uint8Array): OnnxModel {
  if (bytes.length > ONNX_LIMITS.bytes)
    badOnnx(`the file has more than ${ONNX_LIMITS.bytes} bytes`, { bytes: bytes.length })
  let graph: Uint8Array | undefined
  let opset = 0
  let producer = ''
  readMessage(bytes, (field) => {
    if (field.number === 2) producer = field.text()
    else if (field.number === 7) graph = field.bytes()
    else if (field.number === 8) {
      const { domain, version } = readOperatorSet(field.bytes())
      if (domain === '' || domain === 'ai.onnx') opset = version
    } else if (field.number === 25)
      badOnnx('the model defines functions of its own', {}, 'export it with its functions inlined')
    else return false
    return true
  })
  if (graph === undefined) badOnnx('the file holds no graph', {}, 'is it an ONNX model?')
  if (opset < 7 || opset > 30) badOnnx('the operator set is not one that is read', { opset, from: 7, to: 30 })
  return { opset, producer, ...readGraph(graph as Uint8Array) }
}

function readOperatorSet(bytes: Uint8Array): { domain: string; version: number } {
  const set = { domain: '', version: 0 }
  readMessage(bytes, (field) => {
    if (field.number === 1) set.domain = field.text()
    else if (field.number === 2) set.version = field.integer()
    else return false
    return true
  })
  return set
}

function readGraph(bytes: Uint8Array): Omit<OnnxModel, 'opset' | 'producer'> {
  const nodes: OnnxNode[] = []
  const initializers = new Map<string, OnnxTensor>()
  const inputs: OnnxInput[] = []
  const outputs: string[] = []
  let elements = 0
  readMessage(bytes, (field) => {
    if (field.number === 1) {
      if (nodes.length === ONNX_LIMITS.nodes) badOnnx(`the graph has more than ${ONNX_LIMITS.nodes} nodes`)
      nodes.push(readNode(field.bytes(), nodes.length))
    } else if (field.number === 5) {
      const { name, tensor } = readTensor(field.bytes())
      elements += tensor.data.length
      if (initializers.size === ONNX_LIMITS.tensors || elements > ONNX_LIMITS.allElements)
        badOnnx('the initializers are too many', { tensors: initializers.size, elements })
      if (initializers.has(name)) badOnnx('two initializers have one name', { name })
      initializers.set(name, tensor)
    } else if (field.number === 11) inputs.push(readInput(field.bytes()))
    else if (field.number === 12) outputs.push(readInput(field.bytes()).name)
    else if (field.number === 15) badOnnx('the model has sparse tensors', {}, 'export it with dense ones')
    else return false
    if (inputs.length > ONNX_LIMITS.tensors || outputs.length > ONNX_LIMITS.edges)
      badOnnx('the graph has too many inputs or outputs')
    return true
  })
  return { nodes, initializers, inputs: inputs.filter(({ name }) => !initializers.has(name)), outputs }
}

function readNode(bytes: Uint8Array, at: number): OnnxNode {
  const [inputs, outputs]: [string[], string[]] = [[], []]
  const attributes = new Map<string, OnnxAttribute>()
  const head = { name: '', op: '', domain: '' }
  readMessage(bytes, (field) => {
    if (field.number === 1) inputs.push(field.text())
    else if (field.number === 2) outputs.push(field.text())
    else if (field.number === 3) head.name = field.text()
    else if (field.number === 4) head.op = field.text()
    else if (field.number === 5) {
      const { name, value } = readAttribute(field.bytes())
      if (value !== undefined) attributes.set(name, value)
    } else if (field.number === 7) head.domain = field.text()
    else return false
    if (
      Math.max(inputs.length, outputs.length) > ONNX_LIMITS.edges ||
      attributes.size > ONNX_LIMITS.attributes
    )
      badOnnx('a node has too many inputs, outputs or attributes', { node: head.name || at })
    return true
  })
  const domain = head.domain === 'ai.onnx' ? '' : head.domain
  // Names are shown in messages: line feeds and the like stand as escapes.
  const name = JSON.stringify(head.name || outputs[0] || `node ${at}`).slice(1, -1)
  const op = JSON.stringify(head.op).slice(1, -1)
  return { op, domain, name, inputs, outputs, attributes }
}

/** What an attribute of this type is when its value, a default, was left out: FLOAT, INT, STRING, FLOATS, INTS. */
const DEFAULTS: Record<number, OnnxAttribute> = {
  1: { kind: 'number', value: 0 },
  2: { kind: 'number', value: 0 },
  3: { kind: 'text', value: '' },
  6: { kind: 'numbers', value: [] },
  7: { kind: 'numbers', value: [] },
}

function readAttribute(bytes: Uint8Array): { name: string; value: OnnxAttribute | undefined } {
  let name = ''
  let value: OnnxAttribute | undefined
  let type = 0
  const listed: number[] = []
  readMessage(bytes, (field) => {
    if (field.number === 1) name = field.text()
    else if (field.number === 2) value = { kind: 'number', value: field.float() }
    else if (field.number === 3) value = { kind: 'number', value: field.integer() }
    else if (field.number === 4) value = { kind: 'text', value: field.text() }
    else if (field.number === 5) value = { kind: 'tensor', value: readTensor(field.bytes()).tensor }
    else if (field.number === 6 || field.number === 11)
      badOnnx('the model has subgraphs', { attribute: name }, 'export it without If, Loop and Scan')
    else if (field.number === 7 || field.number === 8) {
      field.numbers(listed, field.number === 7 ? 'float' : 'int64', ONNX_LIMITS.listed)
      value = { kind: 'numbers', value: listed }
    } else if (field.number === 20) type = field.integer()
    else return false
    return true
  })
  if (value?.kind === 'number' && Number.isNaN(value.value)) badOnnx('an attribute is not a number', { name })
  return { name, value: value ?? DEFAULTS[type] }
}

/** ValueInfoProto. */
function readInput(bytes: Uint8Array): OnnxInput {
  const input: { name: string; elementType: number; dims: (number | null)[] } = {
    name: '',
    elementType: 0,
    dims: [],
  }
  const dimension = (dimensionBytes: Uint8Array) => {
    let side: number | null = null
    readMessage(dimensionBytes, (field) => {
      if (field.number === 1) side = field.integer()
      return field.number === 1
    })
    if (input.dims.push(side) > ONNX_LIMITS.rank) badOnnx('an input has too many dimensions', input)
  }
  const shape = (field: { number: number; bytes(): Uint8Array }) => {
    if (field.number === 1) dimension(field.bytes())
    return field.number === 1
  }
  readMessage(bytes, (field) => {
    if (field.number === 1) input.name = field.text()
    else if (field.number === 2)
      readMessage(field.bytes(), (type) => {
        if (type.number !== 1) return false
        readMessage(type.bytes(), (tensor) => {
          if (tensor.number === 1) input.elementType = tensor.integer()
          else if (tensor.number === 2) readMessage(tensor.bytes(), shape)
          else return false
          return true
        })
        return true
      })
    else return false
    return true
  })
  return input
}
