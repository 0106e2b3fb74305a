/**
 * The network between ONNX and the circuit: few operators over float tensors of the circuit's shapes, names kept for
 * messages. Lowering makes it, fusion shortens it, calibration runs it, quantisation turns it into an architecture.
 */
import type { Indices, Padding, Shape, Window } from '../../circuit/architecture.ts'
import type { InputForm, OutputActivation, Range } from '../../circuit/encoding.ts'

/** 0 is the input, i + 1 the output of node i. */
export type FloatTensor = number

/** min(high, max(low, x)), infinite where a side is open. */
export type Clamp = { low: number; high: number }

type Weighted = {
  input: FloatTensor
  units: number
  /** Order unit, channel, row, column. */
  weights: Float32Array
  bias: Float32Array
}

export type FloatDense = Weighted & { op: 'dense' }
export type FloatConv = Weighted & { op: 'conv'; window: Window; padding: Padding; groups: number }

export type FloatOperator =
  | FloatDense
  | FloatConv
  | { op: 'averagePool'; input: FloatTensor; window: Window }
  | { op: 'maxPool'; input: FloatTensor; window: Window }
  /** Σ factor·x + offset over tensors of the first one's shape, or with sides of 1 that stand for all. */
  | {
      op: 'combine'
      terms: readonly { input: FloatTensor; factor: number }[]
      /** One a value. */
      offsets?: Float64Array | undefined
    }
  /** factor·Σ left·right, as the circuit's `contract`. */
  | {
      op: 'contract'
      groups: number
      factor: number
      /** Products in one sum. */
      terms: number
      left: { input: FloatTensor; indices: Indices }
      right: { input: FloatTensor; indices: Indices }
      output: Indices
    }
  /** Any function of one value. */
  | { op: 'map'; input: FloatTensor; apply: (x: number) => number }
  /** factor·x + offset, one factor a channel, one offset a channel or a value; gone after fusion. */
  | { op: 'affine'; input: FloatTensor; factor: Float64Array; offset: Float64Array }
  /** Nothing but the node's clamp; gone after fusion. */
  | { op: 'clamp'; input: FloatTensor }

export type FloatNode = FloatOperator & {
  /** The ONNX node it comes from. */
  name: string
  shape: Shape
  clamp: Clamp | undefined
  /** Where the model is quantised already. */
  range: Range | undefined
}

export type FloatGraph = {
  input: InputForm & { range: Range | undefined }
  nodes: readonly FloatNode[]
  outputName: string
  outputActivation: OutputActivation
}

export function tensorsRead(node: FloatOperator): FloatTensor[] {
  if (node.op === 'combine') return node.terms.map(({ input }) => input)
  if (node.op === 'contract') return [node.left.input, node.right.input]
  return [node.input]
}
