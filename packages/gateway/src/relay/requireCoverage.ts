import { readOpg } from '@assay/protocol'
import { formatEther } from 'viem'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'
import type { InferenceNode } from '../nodes/nodePool.ts'

/**
 * Refuses a request that states more at risk than the bonds behind its answer could ever cover: its receipt would wait
 * for a batch for ever. A malformed amount is left to the node, which names the header.
 * @param maximum what the call may cost, OPG base units
 * @throws RefusedError 400 `value_at_risk_uncovered`
 */
export async function requireCoverage(
  context: Context,
  stated: string | undefined,
  maximum: bigint,
  node: InferenceNode,
): Promise<void> {
  const valueAtRisk = stated === undefined ? 0n : (readOpg(stated) ?? 0n)
  const exposure = valueAtRisk > maximum ? valueAtRisk : maximum
  const operator = node.operator.toLowerCase() as typeof node.operator
  const bonds = await Promise.all([context.coverageOf(context.committer), context.coverageOf(operator)])
  // One bond that stands for both carries the exposure twice.
  const [gateway, ofNode] = operator === context.committer ? bonds.map((bond) => bond / 2n) : bonds
  const covered = (gateway as bigint) < (ofNode as bigint) ? (gateway as bigint) : (ofNode as bigint)
  if (exposure <= covered) return
  context.metrics.count('refused_total', 'value_at_risk_uncovered')
  throw new RefusedError({
    status: 400,
    message: `The request puts ${formatEther(exposure)} OPG at risk; the bonds of this gateway and its node cover ${formatEther(covered)} OPG. State a smaller \`x-assay-value-at-risk\`.`,
    type: 'invalid_request_error',
    code: 'value_at_risk_uncovered',
  })
}
