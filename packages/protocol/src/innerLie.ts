import { type Group, type GroupHeader, type Row, rowNode } from './batch.ts'
import { foldSiblings, type Sibling, type SumNode, siblingsOf } from './merkleSum.ts'
import type { BatchEntry } from './receipt.ts'

/** A node of a group's trees that states other totals than its content has. */
export type InnerLie = {
  /** As its committer states it. */
  accused: SumNode
  /** The row that it is, or in which it stands; above rows, any. */
  row: Row
  inRow: boolean
  leafSiblings: Sibling[]
  rowSiblings: Sibling[]
} & (
  | { content: 'leaf'; entry: BatchEntry }
  | { content: 'inner'; left: SumNode; right: SumNode }
  | { content: 'row' }
)

/** A true node that may have been stated wrongly, and the way from it to the top of its group. */
type Suspect = { truth: SumNode; lie: (accused: SumNode) => InnerLie }

/**
 * The one node whose false totals make a group's true trees lead to what its committer put on chain.
 * @param group as the batch file gives it
 * @param committed what the chain holds of the same node's group
 * @returns undefined where the totals are true, or no single node explains them: then its receipts can only be demanded
 */
export function findInnerLie(group: Group, committed: Omit<GroupHeader, 'node'>): InnerLie | undefined {
  const { top } = group
  if (committed.sum === top.sum && committed.exposure === top.exposure && committed.count === top.count) {
    return undefined
  }
  for (const { truth, lie } of suspects(group)) {
    const accused = {
      hash: truth.hash,
      sum: truth.sum + committed.sum - top.sum,
      exposure: truth.exposure + committed.exposure - top.exposure,
      count: truth.count + committed.count - top.count,
    }
    if (accused.sum < 0n || accused.exposure < 0n || accused.count < 0n) continue
    const found = lie(accused)
    if (topHash(found) === committed.top) return found
  }
  return undefined
}

function* suspects({ levels, rows }: Group): Generator<Suspect> {
  for (const [index, row] of rows.entries()) {
    const rowSiblings = siblingsOf(levels, index)
    yield {
      truth: row.summary,
      lie: (accused) => ({ accused, row, inRow: false, leafSiblings: [], rowSiblings, content: 'row' }),
    }
    for (const { truth, siblings, content } of nodesOf(row.levels)) {
      const place = { row, inRow: true, leafSiblings: siblings, rowSiblings }
      yield {
        truth,
        lie: (accused) =>
          typeof content === 'number'
            ? { accused, ...place, content: 'leaf', entry: row.receipts[content] as BatchEntry }
            : { accused, ...place, content: 'inner', ...content },
      }
    }
  }
  const [row] = rows as [Row]
  for (const { truth, siblings, content } of nodesOf(levels)) {
    if (typeof content === 'number') continue
    const place = { row, inRow: false, leafSiblings: [], rowSiblings: siblings }
    yield { truth, lie: (accused) => ({ accused, ...place, content: 'inner', ...content }) }
  }
}

type TreeNode = { truth: SumNode; siblings: Sibling[]; content: number | { left: SumNode; right: SumNode } }

/** Every node of a tree once, with the way up from it: leaves by their index, the others by their children. */
function* nodesOf(levels: readonly (readonly SumNode[])[]): Generator<TreeNode> {
  for (const [height, level] of levels.entries()) {
    for (const [index, truth] of level.entries()) {
      const [left, right] = levels[height - 1]?.slice(2 * index, 2 * index + 2) ?? []
      // An odd last node stands on the level below already.
      if (left !== undefined && right === undefined) continue
      const siblings = siblingsOf(levels.slice(height), index)
      const content = left === undefined || right === undefined ? index : { left, right }
      yield { truth, siblings, content }
    }
  }
}

/** Where a stated node leads; undefined where its totals grow beyond their width. */
function topHash({ accused, row, inRow, leafSiblings, rowSiblings }: InnerLie): string | undefined {
  try {
    const summary = inRow ? rowNode(row, foldSiblings(accused, leafSiblings)) : accused
    return foldSiblings(summary, rowSiblings).hash
  } catch {
    return undefined
  }
}
