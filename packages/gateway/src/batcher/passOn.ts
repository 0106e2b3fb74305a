import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import type { Jobs } from './batcher.ts'

/** What final calls under grants earn is passed on this often, milliseconds: one transfer for all batches between. */
const EVERY_MS = 600_000

/**
 * Has what deposits paid passed on to publisher, node, validators and treasury. Anyone may; the chain holds what is due, so
 * nothing is remembered here but when it was last looked at.
 */
export function createPasser(context: Context, jobs: Jobs): () => Promise<void> {
  const { chain, network, nodes, log } = context
  let last = performance.now()

  async function pass(modelId: Hex, node: Hex): Promise<void> {
    const amount = await chain.takings(modelId, node)
    if (amount === 0n) return
    await chain.passOn(modelId, node)
    log('takings_passed_on', { modelId, node, amount })
  }

  return async () => {
    if (performance.now() - last < EVERY_MS) return
    last = performance.now()
    for (const { modelId } of network.models) {
      for (const { operator } of nodes.nodes) {
        jobs.start(`passOn:${modelId}:${operator}`, () => pass(modelId, operator))
      }
    }
  }
}
