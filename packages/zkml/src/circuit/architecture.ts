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

/** Σ multiplier·(x − zeroPoint of x) over tensors of one shape: residual addition, product by a constant, ReLU. */
export type Combine = {
  op: 'combine'
  terms: readonly { input: TensorIndex; multiplier: number }[]
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

export type Node = Dense | Conv2d | SumPool | MaxPool | Combine | MapValues

export type Architecture = {
  input: Shape & { zeroPoint: number }
  /** In an order in which every node reads only tensors before it. The last node's tensor is the model's output. */
  nodes: readonly Node[]
}

/** Tensors a node reads. */
export function inputsOf(node: Node): TensorIndex[] {
  return node.op === 'combine' ? node.terms.map((term) => term.input) : [node.input]
}

/** Input channels that one output channel of a convolution sees. */
export function channelsSeen(node: Conv2d, input: Shape): number {
  return input.channels / (node.groups ?? 1)
}

/** How a node leaves the accumulator: null where the output is the accumulator itself, or where there is none. */
export function requantiseOf(node: Node): Requantise | null {
  return 'requantise' in node ? node.requantise : null
}
