/** The units of a node with weights, as its row sees them. */

import type { Multipliers } from '../../circuit/architecture.ts'
import { axisBits } from '../../circuit/axes.ts'
import type { NodePlan } from '../../circuit/plan.ts'
import type { Point } from '../../field/multilinear.ts'
import type { Side } from '../claims.ts'

/** The row's channel coordinates, the multipliers, and how many of the channels' high bits tell the group. */
export type Units = { channel: Point; multipliers: Multipliers | undefined; groupBits: number }

export function unitsOf({ node }: NodePlan, channel: Point): Units {
  if (node.op !== 'dense' && node.op !== 'conv2d') throw new TypeError(`a ${node.op} has no units`)
  const groups = node.op === 'conv2d' ? (node.groups ?? 1) : 1
  const groupBits = axisBits({ channels: groups, height: 1, width: 1 }).channels
  return { channel, multipliers: node.multipliers, groupBits }
}

/** The rows' weights of a claim about the units' weights, with the point over their groups. */
export function unitSide({ channel, multipliers }: Units, group: Point): Side {
  return { kind: 'units', point: channel, multipliers, group }
}
