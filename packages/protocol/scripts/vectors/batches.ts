/** Vectors of a batch: trees, settlement rows, groups, data file. */
import {
  buildBatch,
  dataHashOf,
  groupHeaders,
  groupNode,
  inclusionToJson,
  leafNode,
  parentNode,
  proveInclusion,
  rowKeyOf,
  rowNode,
  type SumNode,
  sumTreeLevels,
} from '../../src/index.ts'
import {
  committer,
  deployment,
  deploymentJson,
  entryJson,
  nodeJson,
  receiptsOf,
  type Vector,
  word,
} from './world.ts'

export function trees(): Vector[] {
  const leaves = (count: number): SumNode[] =>
    Array.from({ length: count }, (_, at) => ({
      hash: word(`leaf ${at}`),
      sum: BigInt(at * at + 1),
      exposure: BigInt(3 * at * at + 1),
      count: BigInt(at + 1),
    }))
  const wide: SumNode[] = [
    { hash: word('a'), sum: 2n ** 127n, exposure: 2n ** 127n, count: 2n ** 63n },
    { hash: word('b'), sum: 2n ** 127n - 1n, exposure: 2n ** 127n - 1n, count: 2n ** 63n - 1n },
  ]
  return [1, 2, 3, 4, 5, 7, 8, 13]
    .map(leaves)
    .concat([wide])
    .map((nodes) => {
      const levels = sumTreeLevels(nodes)
      return { nodes: nodes.map(nodeJson), top: nodeJson((levels.at(-1) as SumNode[])[0] as SumNode) }
    })
}

export function parents(): Vector[] {
  const left = { hash: word('left'), sum: 5n, exposure: 7n, count: 1n }
  const right = {
    hash: word('right'),
    sum: 2n ** 128n - 6n,
    exposure: 2n ** 128n - 8n,
    count: 2n ** 64n - 2n,
  }
  const overflow = (node: SumNode): Vector => ({ left: nodeJson(left), right: nodeJson(node), invalid: true })
  return [
    { left: nodeJson(left), right: nodeJson(right), parent: nodeJson(parentNode(left, right)) },
    { left: nodeJson(right), right: nodeJson(left), parent: nodeJson(parentNode(right, left)) },
    overflow({ ...right, sum: 2n ** 128n - 5n }),
    overflow({ ...right, exposure: 2n ** 128n - 7n }),
    overflow({ ...right, count: 2n ** 64n - 1n }),
  ]
}

export async function rows(): Promise<Vector[]> {
  return (await receiptsOf(3)).map((one) => {
    const top = leafNode(one)
    const key = rowKeyOf(one)
    const row = { ...key, priceVersion: key.priceVersion.toString() }
    return { ...row, top: nodeJson(top), row: nodeJson(rowNode(key, top)) }
  })
}

export async function groups(): Promise<Vector[]> {
  return (await receiptsOf(2)).map((one) => {
    const top = rowNode(rowKeyOf(one), leafNode(one))
    const { node } = one.receipt
    return { node, top: nodeJson(top), group: nodeJson(groupNode(node, top)) }
  })
}

/** Files of one repeated byte, around the borders of chunks. */
export function files(): Vector[] {
  return [1, 8191, 8192, 8193, 3 * 8192, 40_000].map((length) => {
    const byte = length % 251
    return { length, byte, dataHash: dataHashOf(new Uint8Array(length).fill(byte)) }
  })
}

export async function batches(): Promise<Vector[]> {
  const vectors: Vector[] = []
  for (const [count, height] of [
    [1, 1n],
    [2, 2n],
    [13, 2n ** 63n],
  ] as const) {
    const given = await receiptsOf(count)
    const batch = buildBatch({ deployment, committer, height, receipts: given })
    const { header } = batch
    vectors.push({
      deployment: deploymentJson,
      committer,
      height: height.toString(),
      receipts: given.map(entryJson),
      root: header.root,
      sum: header.sum.toString(),
      exposure: header.exposure.toString(),
      count: header.count.toString(),
      dataHash: header.dataHash,
      groups: groupHeaders(batch).map(({ node, top: hash, ...totals }) => ({
        node,
        top: nodeJson({ hash, ...totals }),
      })),
      batchId: batch.batchId,
      file: new TextDecoder().decode(batch.file),
      inclusions: given.map(({ receipt }) => {
        const { entry: _, ...proof } = proveInclusion(batch, receipt.requestId)
        return inclusionToJson({ ...header, batchId: batch.batchId, ...proof })
      }),
    })
  }
  return vectors
}

/** Proofs from the batch of 13 receipts of batch.json: of form only, since every receipt in it is honest. */
