import { type Group, type GroupHeader, rowNode, type SumNode, sumTreeLevels } from '@assay/protocol'

/** A node below the top of a group: of its tree of rows, or of the tree of one row's receipts. Level 0 is the bottom. */
export type NodePlace = { row?: number; level: number; index: number }

/** What is added to the totals that a node states. */
export type Surplus = Pick<SumNode, 'sum' | 'exposure' | 'count'>

/** Every node below a group's top that stands where it was made: an odd last one is not repeated. */
export function placesIn(group: Group): NodePlace[] {
  const inRows = group.rows.flatMap(({ levels }, row) => placesOf(levels).map((place) => ({ row, ...place })))
  const top = group.levels.length - 1
  return [...inRows, ...placesOf(group.levels).filter(({ level }) => level < top)]
}

/** The group as a committer puts it on chain that lies about one node and adds everything above it up. */
export function headerWithLie(group: Group, place: NodePlace, surplus: Surplus): GroupHeader {
  const { row: at } = place
  const row = at === undefined ? undefined : group.rows[at]
  const top =
    at === undefined || row === undefined
      ? raised(group.levels, place, surplus)
      : topOver((group.levels[0] ?? []).with(at, rowNode(row, raised(row.levels, place, surplus))))
  const { hash, ...totals } = top
  return { node: group.node, top: hash, ...totals }
}

function placesOf(levels: readonly (readonly SumNode[])[]): NodePlace[] {
  return levels.flatMap((nodes, level) =>
    nodes.flatMap((_, index) => {
      const below = levels[level - 1]
      return below !== undefined && below[2 * index + 1] === undefined ? [] : [{ level, index }]
    }),
  )
}

function raised(levels: readonly (readonly SumNode[])[], { level, index }: NodePlace, by: Surplus): SumNode {
  const nodes = levels[level] ?? []
  const node = nodes[index]
  if (node === undefined) throw new Error('the tree has no such node')
  const { sum, exposure, count, hash } = node
  const lying = { hash, sum: sum + by.sum, exposure: exposure + by.exposure, count: count + by.count }
  return topOver(nodes.with(index, lying))
}

function topOver(nodes: readonly SumNode[]): SumNode {
  const [top] = sumTreeLevels(nodes).at(-1) ?? []
  if (top === undefined) throw new Error('a tree has a top')
  return top
}
