import { larger } from '@assay/protocol'
import type { FastifyInstance } from 'fastify'
import type { Context } from '../context.ts'
import { type InferenceNode, loadOf } from '../nodes/inferenceNode.ts'

/** What the router knows of its nodes: public, as the bonds and the health of each are. */
export function nodeRoutes(server: FastifyInstance, context: Context): void {
  const { standing, models } = context

  function nodeJson(node: InferenceNode) {
    const now = performance.now()
    const bond = standing.bond(node.operator)
    const left = larger((bond?.covered ?? 0n) - (bond?.open ?? 0n) - node.atRisk, 0n).toString()
    return {
      operator: node.operator,
      url: node.url,
      healthy: node.healthy,
      draining: node.draining,
      circuit: node.breaker.state(now),
      // Requests under way, and the average time to a first byte in milliseconds.
      load: loadOf(node),
      latencyMs: node.latency.read(now) ?? null,
      models: [...node.offers]
        .filter(([name]) => models.has(name))
        .map(([name, offer]) => ({
          name,
          modes: offer.modes ?? models.get(name)?.modes ?? [],
          paths: offer.paths ?? null,
          keyValid: offer.key === undefined || !node.badKeys.has(offer.key),
          // What a further answer may put at risk, OPG base units.
          left,
        })),
    }
  }

  server.get('/v1/nodes', async () => ({
    object: 'list',
    gateway: context.committer,
    // What validators lose who make a false receipt of an enclave final, OPG base units.
    quorumAtStake: standing.quorumAtStake().toString(),
    data: context.nodes.nodes.map(nodeJson),
  }))
}
