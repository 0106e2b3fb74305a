/**
 * What everybody knows of a model: its layers, scales and zero points, without its weights. All tensors are int8; a
 * tensor is channels × height × width, a vector has height and width 1.
 */

export type Shape = { channels: number; height: number; width: number }

/**
 * From an int32 accumulator to int8:
 *   target = zeroPoint + ⌊(accumulator·multiplier + 2^(shift−1)) / 2^shift⌋   (ties round up, towards +∞)
 *   output = min(high, max(low, target))
 * With shift 0 nothing is added. A ReLU is `low = zeroPoint`.
 */
export type Requantise = {
  /** 1 … 2^15. */
  multiplier: number
  /** 0 … 24. */
  shift: number
  zeroPoint: number
  low: number
  high: number
  /** For every int8 input, −2^reach ≤ target < 2^reach; `makeModel` computes it from the weights. 8 … 18. */
  reach: number
}

export type Window = { height: number; width: number; strideY: number; strideX: number }
export type Padding = { top: number; left: number; bottom: number; right: number }

/** Which tensor a node reads: 0 is the model's input, i + 1 the output of node i. */
export type TensorIndex = number

/**
 * One integer a unit or output channel, 1 … 2^15, by which its accumulator is multiplied; absent, all are 1. Weights
 * quantised with a scale a channel share one requantisation that way.
 */
export type Multipliers = readonly number[]

/** multiplier·(Σ weight·(x − zeroPoint of x) + bias) over the whole input, in the order channel, row, column. */
export type Dense = {
  op: 'dense'
  input: TensorIndex
  units: number
  multipliers?: Multipliers | undefined
  requantise: Requantise | null
}

/** Cross-correlation as in ONNX Conv, times the channel's multiplier; padding stands for the input's zero point. */
export type Conv2d = {
  op: 'conv2d'
  input: TensorIndex
  channels: number
  window: Window
  padding: Padding
  /**
   * Channels in and out fall into this many groups, each seeing its own inputs only; 2 or more, both quotients powers of
   * two. Absent, every output sees every input.
   */
  groups?: number | undefined
  multipliers?: Multipliers | undefined
  requantise: Requantise | null
}

/** Σ over the window of (x − zeroPoint); the division is in the requantisation. */
export type SumPool = { op: 'sumPool'; input: TensorIndex; window: Window; requantise: Requantise }

/** Largest value of the window; scale and zero point stay. */
export type MaxPool = { op: 'maxPool'; input: TensorIndex; window: Window }

/**
 * Σ multiplier·(x − zeroPoint of x) + offset: residual addition, product by a constant, ReLU. The first term has the
 * output's shape; a side of any other is the same or 1, and then stands for all.
 */
export type Combine = {
  op: 'combine'
  terms: readonly { input: TensorIndex; multiplier: number }[]
  /** One integer a value, in the order channel, row, column, such as an encoding of positions; absent, all are 0. */
  offsets?: readonly number[] | undefined
  requantise: Requantise
}

/**
 * Which index runs along a tensor's groups of channels, the channels of a group, rows and columns. An index is a number
 * from 1; where there is 0, the side is 1.
 */
export type Indices = readonly [group: number, channel: number, row: number, column: number]

/**
 * Einstein's summation over two computed tensors: Σ (left − its zeroPoint)·(right − its zeroPoint) over every index that
 * both have and the output has not. Products value by value, with a side of 1 standing for all (gates, normalisation),
 * and products of matrices, many at once (attention), are all of this kind.
 */
export type Contract = {
  op: 'contract'
  /** Groups that channels fall into wherever a group has an index; 1 where none has. */
  groups: number
  left: { input: TensorIndex; indices: Indices }
  right: { input: TensorIndex; indices: Indices }
  /** Indices of the output, each of which an operand has. */
  output: Indices
  requantise: Requantise
}

/** values[x + 128]: any function of one int8 value, such as a sigmoid, written out. */
export type MapValues = {
  op: 'map'
  input: TensorIndex
  /** Of the output. */
  zeroPoint: number
  /** 256 of −128 … 127. */
  values: readonly number[]
}

export type Node = Dense | Conv2d | SumPool | MaxPool | Combine | Contract | MapValues

export type Architecture = {
  input: Shape & { zeroPoint: number }
  /** In an order in which every node reads only tensors before it. The last node's tensor is the model's output. */
  nodes: readonly Node[]
}

/** Tensors a node reads. */
export function inputsOf(node: Node): TensorIndex[] {
  if (node.op === 'combine') return node.terms.map((term) => term.input)
  if (node.op === 'contract') return [node.left.input, node.right.input]
  return [node.input]
}

/** Input channels that one output channel of a convolution sees. */
export function channelsSeen(node: Conv2d, input: Shape): number {
  return input.channels / (node.groups ?? 1)
}

/** How a node leaves the accumulator: null where the output is the accumulator itself, or where there is none. */
export function requantiseOf(node: Node): Requantise | null {
  return 'requantise' in node ? node.requantise : null
}
