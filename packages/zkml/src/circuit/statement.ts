/** What a proof states: this model, on this input, gave this output. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { ZkmlError } from '../errors.ts'
import type { Shape } from './architecture.ts'
import { layoutSize, pad } from './checkArchitecture.ts'
import { encodeArchitecture } from './encodeArchitecture.ts'
import type { Plan } from './plan.ts'
import { MAX_ACCUMULATOR } from './reach.ts'

/** Name and version of the proof system; the first thing every transcript absorbs. */
export const PROTOCOL = 'assay/zkml/v2'

export type Statement = {
  /** Merkle root of the encoded weights, as `commitModel` gives it. */
  weightsRoot: Uint8Array
  /** int8 values in the order channel, row, column. */
  input: ArrayLike<number>
  /** int8 values, or accumulators (below p/2) where the last node does not requantise. */
  output: ArrayLike<number>
}

/** The model's identity: keccak(tag ‖ keccak(architecture) ‖ weightsRoot). */
export function modelRootOf(plan: Plan, weightsRoot: Uint8Array): Uint8Array {
  const tag = keccak_256(utf8ToBytes(`${PROTOCOL}/model`))
  return keccak_256(concat([tag, keccak_256(encodeArchitecture(plan.architecture)), weightsRoot]))
}

/** keccak(tag ‖ values as 32-bit big-endian integers), for inputs and outputs alike. */
export function tensorHash(values: ArrayLike<number>): Uint8Array {
  const tag = keccak_256(utf8ToBytes(`${PROTOCOL}/tensor`))
  const bytes = new Uint8Array(4 * values.length)
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < values.length; at++) view.setInt32(4 * at, values[at] as number)
  return keccak_256(concat([tag, bytes]))
}

/** Whether the last node leaves its accumulators as they are. */
function outputIsAccumulator(plan: Plan): boolean {
  return plan.nodes.at(-1)?.accumulator?.kind === 'output'
}

/** @throws ZkmlError bad_input */
export function checkStatement(plan: Plan, { input, output, weightsRoot }: Statement): void {
  checkTensor('input', input, plan.architecture.input, -128, 127)
  const shape = plan.tensors.at(-1) as Shape
  if (outputIsAccumulator(plan)) checkTensor('output', output, shape, -MAX_ACCUMULATOR, MAX_ACCUMULATOR)
  else checkTensor('output', output, shape, -128, 127)
  if (weightsRoot.length !== 32) throw new ZkmlError('bad_input', 'a weights root has 32 bytes')
}

/** @throws ZkmlError bad_input */
export function checkTensor(
  name: string,
  values: ArrayLike<number>,
  shape: Shape,
  low: number,
  high: number,
): void {
  const wanted = shape.channels * shape.height * shape.width
  if (values.length !== wanted)
    throw new ZkmlError('bad_input', `the ${name} has the wrong size`, { wanted, found: values.length })
  for (let at = 0; at < wanted; at++) {
    const value = values[at] as number
    if (!Number.isInteger(value) || value < low || value > high)
      throw new ZkmlError('bad_input', `the ${name} must hold integers from ${low} to ${high}`, { at, value })
  }
}

/** Lays a tensor out with every side padded to a power of two; the padding holds `rest`. */
export function layOutTensor(values: ArrayLike<number>, shape: Shape, rest: number): Int32Array {
  const layout = new Int32Array(layoutSize(shape)).fill(rest)
  const { channels, height, width } = shape
  let from = 0
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const to = (c * pad(height) + y) * pad(width)
      for (let x = 0; x < width; x++) layout[to + x] = values[from++] as number
    }
  }
  return layout
}

/** What an output layout holds past the last unit: a unit of zero weights and bias, requantised. */
export function outputPadding(plan: Plan): number {
  const accumulator = plan.nodes.at(-1)?.accumulator
  if (accumulator?.kind !== 'requantised') return 0
  const { zeroPoint, low, high } = accumulator.requantise
  return Math.min(high, Math.max(low, zeroPoint))
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
