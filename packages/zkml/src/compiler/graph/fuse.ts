/**
 * Shortens a float graph to what the circuit has: scales and offsets (batch normalisation among them) go into the weights
 * before them, bends (ReLU, Clip) into the requantisation of the node before them, and what is left becomes a node.
 */
import { copyLayer } from './copyLayer.ts'
import type { Clamp, FloatConv, FloatDense, FloatGraph, FloatNode, FloatTensor } from './floatGraph.ts'
import { tensorsRead } from './floatGraph.ts'

type Weighted = FloatNode & (FloatDense | FloatConv)
type Affine = Extract<FloatNode, { op: 'affine' }>

const isWeighted = (node: FloatNode | undefined): node is Weighted =>
  node?.op === 'dense' || node?.op === 'conv'

export function fuseGraph(graph: FloatGraph): FloatGraph {
  const reads = countReads(graph)
  const nodes: FloatNode[] = []
  /** Where each old tensor is now. */
  const place: FloatTensor[] = [0]
  for (const [index, old] of graph.nodes.entries()) {
    if (reads[index + 1] === 0) {
      place.push(-1)
      continue
    }
    const node = moved(old, place)
    const before = 'input' in node ? nodes[node.input - 1] : undefined
    // What nobody else reads may change in its place: nothing in between depends on it.
    const alone = 'input' in old && reads[old.input] === 1
    const fused = alone && before !== undefined ? fusedInto(before, node) : undefined
    if (fused === undefined) place.push(nodes.push(asCircuitNode(node)))
    else {
      nodes[nodes.indexOf(before as FloatNode)] = fused
      place.push(nodes.indexOf(fused) + 1)
    }
  }
  const last = nodes.at(-1)
  if (last?.op !== 'dense')
    nodes.push(copyLayer(graph.outputName, nodes.length, last?.shape ?? graph.input.shape))
  return { ...graph, nodes }
}

/** How often each tensor is read; 0 for what leads nowhere. The output is read once, by the world. */
function countReads({ nodes }: FloatGraph): number[] {
  const reads = new Array<number>(nodes.length + 1).fill(0)
  reads[nodes.length] = 1
  for (const [back, node] of nodes.toReversed().entries()) {
    if (reads[nodes.length - back] === 0) continue
    for (const tensor of new Set(tensorsRead(node))) reads[tensor] = (reads[tensor] as number) + 1
  }
  return reads
}

function moved(node: FloatNode, place: readonly FloatTensor[]): FloatNode {
  const now = <T extends { input: FloatTensor }>(reader: T): T => ({
    ...reader,
    input: place[reader.input] as FloatTensor,
  })
  if (node.op === 'contract') return { ...node, left: now(node.left), right: now(node.right) }
  if (node.op !== 'combine') return now(node)
  return { ...node, terms: node.terms.map(now) }
}

/** One node for two, or undefined where they stay apart. */
function fusedInto(before: FloatNode, node: FloatNode): FloatNode | undefined {
  if (node.op === 'clamp' && before.op !== 'maxPool')
    return { ...before, clamp: narrower(before.clamp, node.clamp), range: node.range ?? before.range }
  if (node.op === 'affine' && isWeighted(before) && before.clamp === undefined && isPerChannel(node)) {
    const patch = before.weights.length / before.units
    const { factor, offset } = node
    return {
      ...before,
      weights: before.weights.map((weight, at) => weight * (factor[Math.floor(at / patch)] as number)),
      bias: before.bias.map((bias, unit) => bias * (factor[unit] as number) + (offset[unit] as number)),
      range: node.range,
    }
  }
  return undefined
}

function narrower(a: Clamp | undefined, b: Clamp | undefined): Clamp | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const bound = (x: number) => Math.min(b.high, Math.max(b.low, x))
  return { low: bound(a.low), high: bound(a.high) }
}

/** What could not be fused, as a node of its own. */
function asCircuitNode(node: FloatNode): FloatNode {
  if (node.op === 'clamp') return { ...node, op: 'combine', terms: [{ input: node.input, factor: 1 }] }
  if (node.op !== 'affine') return node
  const factor = node.factor[0] as number
  const uniform = node.factor.every((x) => x === factor)
  const terms = [{ input: node.input, factor }]
  if (uniform && node.offset.every((x) => x === 0)) return { ...node, op: 'combine', terms }
  return isPerChannel(node) ? perChannel(node) : { ...node, op: 'combine', terms, offsets: node.offset }
}

const isPerChannel = ({ offset, shape }: Affine) => offset.length === shape.channels

/** A convolution of one weight a channel. */
function perChannel(node: Affine): FloatNode {
  const { name, shape, clamp, range, input } = node
  return {
    op: 'conv',
    input,
    units: shape.channels,
    weights: Float32Array.from(node.factor),
    bias: Float32Array.from(node.offset),
    window: { height: 1, width: 1, strideY: 1, strideX: 1 },
    padding: { top: 0, left: 0, bottom: 0, right: 0 },
    groups: shape.channels,
    name,
    shape,
    clamp,
    range,
  }
}
