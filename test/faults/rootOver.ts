import { type GroupHeader, groupNode, sumTreeLevels, topOf } from '@assay/protocol'
import type { Hex } from 'viem'

/** The root that Settlement makes of the groups it is given. */
export function rootOver(groups: readonly GroupHeader[]): Hex {
  const tops = groups.map(({ node, top, sum, exposure, count }) =>
    groupNode(node, { hash: top, sum, exposure, count }),
  )
  return topOf(sumTreeLevels(tops)).hash
}
