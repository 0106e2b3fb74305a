/**
 * How the world's numbers become the int8 input of a circuit, and the proven integers numbers again. Outside of the proof,
 * but part of a model's identity in the network, so everybody repeats it in IEEE doubles, in this order of operations.
 */
import type { Shape } from './architecture.ts'

/** An int8 scale: x = scale·(q − zeroPoint). */
export type Range = { scale: number; zeroPoint: number }

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

export type InputEncoding = InputForm & Range
export type OutputEncoding = Range & { name: string; activation: OutputActivation }

export function valuesOf({ channels, height, width }: Shape): number {
  return channels * height * width
}

/** A caller's values in the circuit's order, normalised. */
export function arrangeInput(
  { shape, order, factor, offset }: InputForm,
  values: ArrayLike<number>,
): Float64Array {
  const each = (list: Float64Array, at: number) => list[list.length === 1 ? 0 : at] as number
  return Float64Array.from(
    { length: valuesOf(shape) },
    (_, at) => each(factor, at) * (values[order?.[at] ?? at] as number) + each(offset, at),
  )
}

/** A caller's values as the int8 input that is proved. Not part of the proof: anybody can repeat it. */
export function encodeInput({ input }: { input: InputEncoding }, values: ArrayLike<number>): number[] {
  const { scale, zeroPoint } = input
  return Array.from(arrangeInput(input, values), (x) =>
    Math.min(127, Math.max(-128, Math.round(x / scale) + zeroPoint)),
  )
}

/** How many values a caller gives. */
export function inputSize({ input }: { input: InputEncoding }): number {
  return valuesOf(input.shape)
}

/** The proven integers as the numbers the ONNX model would have given. */
export function decodeOutput({ output }: { output: OutputEncoding }, integers: readonly number[]): number[] {
  const scores = integers.map((q) => (q - output.zeroPoint) * output.scale)
  return activate(output.activation, scores)
}

export function activate(activation: OutputActivation, scores: readonly number[]): number[] {
  if (activation === 'none') return [...scores]
  if (activation === 'sigmoid') return scores.map((x) => 1 / (1 + Math.exp(-x)))
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const exponentials = scores.map((x) => Math.exp(x - largest))
  const sum = exponentials.reduce((a, b) => a + b, 0)
  return activation === 'softmax'
    ? exponentials.map((x) => x / sum)
    : scores.map((x) => x - largest - Math.log(sum))
}
