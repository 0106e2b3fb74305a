/**
 * The network between ONNX and the circuit: few operators over float tensors of the circuit's shapes, names kept for
 * messages. Lowering makes it, fusion shortens it, calibration runs it, quantisation turns it into an architecture.
 */
import type { Padding, Shape, Window } from '../../circuit/architecture.ts'
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
  /** Σ factor·x over tensors of one shape. */
  | { op: 'combine'; terms: readonly { input: FloatTensor; factor: number }[] }
  /** Any function of one value. */
  | { op: 'map'; input: FloatTensor; apply: (x: number) => number }
  /** factor·x + offset, one of each a channel; gone after fusion. */
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
  return node.op === 'combine' ? node.terms.map(({ input }) => input) : [node.input]
}
