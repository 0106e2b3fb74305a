import { type InferenceNode, loadOf } from '../nodes/inferenceNode.ts'

/** What a node that never answered is thought to take, ms: little, so that it gets its first request soon. */
const UNKNOWN_MS = 1

/**
 * Power of two choices (M. Mitzenmacher, 2001): of two nodes drawn at random the one that will be done sooner, by its
 * latency and what stands before. Looking at all of them instead would send every gateway's next request to the same one.
 * Nodes whose circuit is open are passed over, unless all of them are: then one is better than none.
 */
export function chooseNode(
  nodes: readonly InferenceNode[],
  now: number,
  random: () => number = Math.random,
): InferenceNode | undefined {
  const admitted = nodes.filter((node) => node.breaker.admits(now))
  const from = admitted.length > 0 ? admitted : nodes
  if (from.length < 2) return from[0]
  const first = Math.floor(random() * from.length)
  const second = (first + 1 + Math.floor(random() * (from.length - 1))) % from.length
  const [a, b] = [from[first] as InferenceNode, from[second] as InferenceNode]
  return waitOf(b, now) < waitOf(a, now) ? b : a
}

/** Roughly how long a further request would take, ms. */
function waitOf(node: InferenceNode, now: number): number {
  return Math.max(node.latency.read(now) ?? UNKNOWN_MS, UNKNOWN_MS) * (loadOf(node) + 1)
}
