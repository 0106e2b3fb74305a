/** An ONNX model as far as the compiler reads it. */

/** Numbers of any stored type, as floats; 64-bit integers are bounded so that they are exact. */
export type OnnxTensor = {
  dims: readonly number[]
  /** Integers stay apart from floats, so that a shape is not taken for weights. */
  integer: boolean
  /** TensorProto.DataType. */
  elementType: number
  data: Float32Array | Float64Array
}

export type OnnxAttribute =
  | { kind: 'number'; value: number }
  | { kind: 'text'; value: string }
  | { kind: 'numbers'; value: readonly number[] }
  | { kind: 'tensor'; value: OnnxTensor }

export type OnnxNode = {
  /** The node's own name, or one made from its place where it has none. */
  name: string
  op: string
  /** Empty for the standard operators. */
  domain: string
  inputs: readonly string[]
  outputs: readonly string[]
  attributes: ReadonlyMap<string, OnnxAttribute>
}

/** Dimensions of an input; null where the model leaves one open. */
export type OnnxInput = { name: string; elementType: number; dims: readonly (number | null)[] }

export type OnnxModel = {
  /** Version of the standard operator set. */
  opset: number
  producer: string
  nodes: readonly OnnxNode[]
  initializers: ReadonlyMap<string, OnnxTensor>
  /** Inputs that no initializer fills. */
  inputs: readonly OnnxInput[]
  outputs: readonly string[]
}

/** What a file may hold: enough for any network that the circuit can, and a bound on the work of refusing one. */
export const ONNX_LIMITS = {
  bytes: 2 ** 29,
  nodes: 4096,
  tensors: 8192,
  attributes: 64,
  edges: 64,
  rank: 8,
  /** Numbers of one tensor. */
  elements: 2 ** 26,
  /** Numbers of all tensors together. */
  allElements: 2 ** 27,
  listed: 2 ** 16,
  nameBytes: 1024,
} as const
