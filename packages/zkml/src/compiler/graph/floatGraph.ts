/**
 * The network between ONNX and the circuit: few operators over float tensors of the circuit's shapes, names kept for
 * messages. Lowering makes it, fusion shortens it, calibration runs it, quantisation turns it into an architecture.
 */
import type { Padding, Shape, Window } from '../../circuit/architecture.ts'

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
  /** Σ factor·x over tensors of one shape. */
  | { op: 'combine'; terms: readonly { input: FloatTensor; factor: number }[] }
  /** Any function of one value. */
  | { op: 'map'; input: FloatTensor; apply: (x: number) => number }
  /** factor·x + offset, one of each a channel; gone after fusion. */
  | { op: 'affine'; input: FloatTensor; factor: Float64Array; offset: Float64Array }
  /** Nothing but the node's clamp; gone after fusion. */
  | { op: 'clamp'; input: FloatTensor }

/** An int8 scale that a QuantizeLinear of the model gives a tensor: x = scale·(q − zeroPoint). */
export type Range = { scale: number; zeroPoint: number }

export type FloatNode = FloatOperator & {
  /** The ONNX node it comes from. */
  name: string
  shape: Shape
  clamp: Clamp | undefined
  /** Where the model is quantised already. */
  range: Range | undefined
}

/**
 * How a caller's values, flat in the ONNX input's order, become the circuit's input x:
 * x[i] = factor·values[order[i]] + offset, factor and offset one for all or one a value.
 */
export type InputForm = {
  name: string
  shape: Shape
  /** Null where the orders agree. */
  order: Int32Array | null
  factor: Float64Array
  offset: Float64Array
}

/** A function of the output that stands outside the proof: it is applied to the proven numbers by whoever reads them. */
export type OutputActivation = 'none' | 'softmax' | 'sigmoid' | 'logSoftmax'

export type FloatGraph = {
  input: InputForm & { range: Range | undefined }
  nodes: readonly FloatNode[]
  outputName: string
  outputActivation: OutputActivation
}

export function tensorsRead(node: FloatOperator): FloatTensor[] {
  return node.op === 'combine' ? node.terms.map(({ input }) => input) : [node.input]
}

export function valuesOf({ channels, height, width }: Shape): number {
  return channels * height * width
}
