/**
 * The geometry of a contraction: how long each index is, what becomes of it, and where its bits lie in each tensor's index.
 * Prover and verifier both stand on it.
 */
import type { Ext } from '../field/extension.ts'
import * as ext from '../field/extension.ts'
import type { Point } from '../field/multilinear.ts'
import type { Contract, Indices, Shape } from './architecture.ts'
import { bitsOf } from './axes.ts'

/**
 * `shared`: in both operands and the output, value by value. `summed`: in both operands only. `left`, `right`: in that
 * operand and the output.
 */
export type IndexKind = 'shared' | 'summed' | 'left' | 'right'

export type Index = { side: number; bits: number; kind: IndexKind }

/** Index number to what it is. */
export type Contraction = ReadonlyMap<number, Index>

/** Coordinates of indices by number. */
export type Coordinates = ReadonlyMap<number, Point>

/** Sides of a tensor along its four indices. */
export function sidesOf({ channels, height, width }: Shape, [group]: Indices, groups: number) {
  const outer = group === 0 ? 1 : groups
  return [outer, channels / outer, height, width] as const
}

/** Of an architecture that has been checked. */
export function contractionOf(node: Contract, left: Shape, right: Shape): Contraction {
  const indices = new Map<number, Index>()
  const add = (shape: Shape, own: Indices, kind: (index: number) => IndexKind) => {
    for (const [at, side] of sidesOf(shape, own, node.groups).entries()) {
      const index = own[at] as number
      if (index !== 0) indices.set(index, { side, bits: bitsOf(side), kind: kind(index) })
    }
  }
  const [inLeft, inRight, inOutput] = [node.left.indices, node.right.indices, node.output]
  add(left, inLeft, (index) => {
    if (!inRight.includes(index)) return 'left'
    return inOutput.includes(index) ? 'shared' : 'summed'
  })
  add(right, inRight, (index) => indices.get(index)?.kind ?? 'right')
  return indices
}

/** Numbers of the indices of a kind, in order. */
export function ofKind(contraction: Contraction, kind: IndexKind): number[] {
  return [...contraction.keys()]
    .filter((index) => contraction.get(index)?.kind === kind)
    .sort((a, b) => a - b)
}

/** Bits of several indices, laid one above the other. */
export function bitsOfAll(contraction: Contraction, indices: readonly number[]): number {
  return indices.reduce((bits, index) => bits + (contraction.get(index)?.bits ?? 0), 0)
}

/** A tensor's indices from the lowest bits of its own index to the highest. */
function fromLowest(indices: Indices): number[] {
  return indices.filter((index) => index !== 0).reverse()
}

/** A point over a tensor's index, from the coordinates of its indices. */
export function joinCoordinates(indices: Indices, coordinates: Coordinates): Ext[] {
  return fromLowest(indices).flatMap((index) => [...(coordinates.get(index) as Point)])
}

/** Cuts a point over several indices, the first lowest, into the coordinates of each. */
export function cutPoint(
  contraction: Contraction,
  indices: readonly number[],
  point: Point,
): [number, Point][] {
  let at = 0
  return indices.map((index) => {
    const { bits } = contraction.get(index) as Index
    at += bits
    return [index, point.slice(at - bits, at)]
  })
}

/** The output's indices at the row. */
export function outputCoordinates(contraction: Contraction, output: Indices, row: Point): [number, Point][] {
  return cutPoint(contraction, fromLowest(output), row)
}

/** By how many bits each index of a tensor is shifted in the tensor's own. */
export function shiftsOf(contraction: Contraction, indices: Indices): ReadonlyMap<number, number> {
  let shift = 0
  return new Map(
    fromLowest(indices).map((index) => {
      const here = shift
      shift += (contraction.get(index) as Index).bits
      return [index, here]
    }),
  )
}

/** Aligned powers of two whose union is a side: `start` is a multiple of 2^bits. */
export type Run = { start: number; bits: number }

/** A part of the sum: for each summed index, the values it takes there. */
export type Block = readonly { index: number; run: Run }[]

/**
 * The true values of all summed indices, without padding, as few cubes: a side that is no power of two is a union of
 * aligned powers of two, one for each bit of the side.
 */
export function summedBlocks(contraction: Contraction): Block[] {
  return ofKind(contraction, 'summed').reduce<Block[]>(
    (blocks, index) => {
      const runs = runsOf((contraction.get(index) as Index).side)
      return blocks.flatMap((block) => runs.map((run) => [...block, { index, run }]))
    },
    [[]],
  )
}

function runsOf(side: number): Run[] {
  const runs: Run[] = []
  let start = 0
  for (let bits = bitsOf(side); bits >= 0; bits--) {
    if (Math.floor(side / 2 ** bits) % 2 === 0) continue
    runs.push({ start, bits })
    start += 2 ** bits
  }
  return runs
}

/** Bits of a block that are free. */
export function freeBits(block: Block): number {
  return block.reduce((bits, { run }) => bits + run.bits, 0)
}

/** Coordinates of the summed indices: the free ones from the point, those above them as the run's start says. */
export function blockCoordinates(contraction: Contraction, block: Block, free: Point): [number, Point][] {
  let at = 0
  return block.map(({ index, run }) => {
    const { bits } = contraction.get(index) as Index
    at += run.bits
    const fixed = Array.from({ length: bits - run.bits }, (_, bit) =>
      Math.floor(run.start / 2 ** (run.bits + bit)) % 2 === 1 ? ext.ONE : ext.ZERO,
    )
    return [index, [...free.slice(at - run.bits, at), ...fixed]]
  })
}
