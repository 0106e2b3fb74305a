/** What a proof states: this model, on this input, gave this output. */

import { utf8ToBytes } from '@noble/hashes/utils.js'
import { keccak256 } from '#keccak'
import { ZkmlError } from '../errors.ts'
import { pieceHashes } from '../transcript/transcript.ts'
import type { Shape } from './architecture.ts'
import { layoutSize, pad } from './checkArchitecture.ts'
import { encodeArchitecture } from './encodeArchitecture.ts'
import type { Plan } from './plan.ts'
import { MAX_ACCUMULATOR } from './reach.ts'

/** Name and version of the proof system; the first thing every transcript absorbs. */
export const PROTOCOL = 'assay/zkml/v2'

/** Bytes of a tensor that are hashed at once: 1,024 values. */
export const TENSOR_PIECE = 4096

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
  const tag = keccak256(utf8ToBytes(`${PROTOCOL}/model`))
  return keccak256(concat([tag, keccak256(encodeArchitecture(plan.architecture)), weightsRoot]))
}

/**
 * keccak(tag ‖ values as 32-bit big-endian integers), for inputs and outputs alike. Of more than a piece its pieces'
 * hashes are hashed instead, under another tag, so that no step of a dispute needs more than a piece at a time.
 */
export function tensorHash(values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(4 * values.length)
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < values.length; at++) view.setInt32(4 * at, values[at] as number)
  const long = bytes.length > TENSOR_PIECE
  return taggedTensor(long, long ? pieceHashes(bytes, TENSOR_PIECE) : bytes)
}

/** The hash of a tensor's bytes, or where they are long of its pieces' hashes. */
export function taggedTensor(long: boolean, bytes: Uint8Array): Uint8Array {
  const tag = keccak256(utf8ToBytes(`${PROTOCOL}/${long ? 'long-tensor' : 'tensor'}`))
  return keccak256(concat([tag, bytes]))
}

export type TensorBounds = { shape: Shape; low: number; high: number }

/** Whether the last node leaves its accumulators as they are. */
function outputIsAccumulator(plan: Plan): boolean {
  return plan.nodes.at(-1)?.accumulator?.kind === 'output'
}

/** Shapes and bounds of the public tensors. */
export function publicBounds(plan: Plan): { input: TensorBounds; output: TensorBounds } {
  const shape = plan.tensors.at(-1) as Shape
  const int8 = { low: -128, high: 127 }
  const wide = { low: -MAX_ACCUMULATOR, high: MAX_ACCUMULATOR }
  return {
    input: { shape: plan.architecture.input, ...int8 },
    output: { shape, ...(outputIsAccumulator(plan) ? wide : int8) },
  }
}

/** @throws ZkmlError bad_input */
export function checkStatement(plan: Plan, statement: Statement): void {
  const { shape, low, high } = publicBounds(plan).input
  checkTensor('input', statement.input, shape, low, high)
  checkAnswer(plan, statement)
}

/** All of a statement but its input. @throws ZkmlError bad_input */
export function checkAnswer(plan: Plan, { output, weightsRoot }: Omit<Statement, 'input'>): void {
  const { shape, low, high } = publicBounds(plan).output
  checkTensor('output', output, shape, low, high)
  if (weightsRoot.length !== 32) throw new ZkmlError('bad_input', 'a weights root has 32 bytes')
}

/** @throws ZkmlError bad_input */
export function checkSizes(plan: Plan, { input, output }: Pick<Statement, 'input' | 'output'>): void {
  const bounds = publicBounds(plan)
  checkSize('input', input, bounds.input.shape)
  checkSize('output', output, bounds.output.shape)
}

function checkSize(name: string, { length: found }: ArrayLike<number>, shape: Shape): void {
  const wanted = shape.channels * shape.height * shape.width
  if (found !== wanted) throw new ZkmlError('bad_input', `the ${name} has the wrong size`, { wanted, found })
}

/** @throws ZkmlError bad_input */
export function checkTensor(
  name: string,
  values: ArrayLike<number>,
  shape: Shape,
  low: number,
  high: number,
): void {
  checkSize(name, values, shape)
  for (let at = 0; at < values.length; at++) {
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
