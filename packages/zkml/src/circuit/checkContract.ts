/** The rules of contractions. */
import type { Contract, Indices, Shape } from './architecture.ts'
import { fail, integer } from './checks.ts'
import { contractionOf, sidesOf } from './contraction.ts'

/** Numbers of indices; two operands of four sides each have no more. */
const MOST_INDICES = 8

type Facts = Record<string, unknown>

/** The shape of what a contraction gives. @throws ZkmlError bad_architecture */
export function contractedShape(node: Contract, tensors: readonly Shape[], facts: Facts): Shape {
  const [left, right] = [tensors[node.left.input] as Shape, tensors[node.right.input] as Shape]
  const [inLeft, inRight, inOutput] = [node.left.indices, node.right.indices, node.output]
  integer('groups', node.groups, 1, left.channels, facts)
  if (node.groups > 1 && ![inLeft, inRight, inOutput].some(([group]) => group !== 0))
    fail('groups must have an index somewhere', facts)
  for (const indices of [inLeft, inRight, inOutput]) checkIndices(indices, facts)
  checkNumbering([...inLeft, ...inRight], facts)
  checkSides(left, inLeft, node.groups, facts)
  checkSides(right, inRight, node.groups, facts)
  const contraction = contractionOf(node, left, right)
  for (const [axis, side] of sidesOf(left, inLeft, node.groups).entries()) {
    const known = contraction.get(inLeft[axis] as number)
    if (known !== undefined && known.side !== side)
      fail('an index must have one length', {
        ...facts,
        index: inLeft[axis],
        lengths: `${known.side}, ${side}`,
      })
  }
  for (const [index, { kind }] of contraction)
    if ((kind === 'left' || kind === 'right') && !inOutput.includes(index))
      fail('an index of one operand must be one of the output', { ...facts, index })
  const sideOf = (index: number): number => {
    if (index === 0) return 1
    return (
      contraction.get(index)?.side ??
      fail('an index of the output must be one of an operand', { ...facts, index })
    )
  }
  const [groups, channels, height, width] = inOutput.map(sideOf) as [number, number, number, number]
  const shape = { channels: groups * channels, height, width }
  checkSides(shape, inOutput, node.groups, facts)
  return shape
}

function checkIndices(indices: Indices, facts: Facts): void {
  for (const index of indices) integer('index', index, 0, MOST_INDICES, facts)
  const used = indices.filter((index) => index !== 0)
  if (new Set(used).size !== used.length) fail('a tensor must not have one index twice', facts)
}

/** Numbered as they first occur, so that one contraction is written in one way. */
function checkNumbering(indices: readonly number[], facts: Facts): void {
  let next = 1
  for (const index of indices) {
    if (index > next) fail('indices must be numbered in the order in which they occur', facts)
    if (index === next) next++
  }
}

/** Sides without an index are 1; channels of a group are a power of two, so that group and channel are bit beside bit. */
function checkSides(shape: Shape, indices: Indices, groups: number, facts: Facts): void {
  const sides = sidesOf(shape, indices, groups)
  for (const [at, side] of sides.entries())
    if (!Number.isInteger(side) || (indices[at] === 0 && side !== 1))
      fail('a side without an index must be 1, and groups must divide the channels', {
        ...facts,
        sides: sides.join(', '),
      })
  const channels = sides[1]
  if (indices[0] !== 0 && channels !== 2 ** Math.round(Math.log2(channels)))
    fail('a group must have a power of two of channels', { ...facts, groups, channels: shape.channels })
}
