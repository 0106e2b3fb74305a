/** The prover's side of `verifier/linear/combine.ts`. */

import type { Combine } from '../../circuit/architecture.ts'
import type { Tensor } from '../../circuit/checkArchitecture.ts'
import type { NodePlan, ValueIndex } from '../../circuit/plan.ts'
import { evaluateIntegers } from '../../field/multilinear.ts'
import type { ProofWriter } from '../../transcript/proofWriter.ts'
import { broadcastPoint } from '../../verifier/linear/combine.ts'
import type { ProverContext } from './proverContext.ts'

/** States the terms that stand for more than their own values; everything else the verifier computes. */
export function stateBroadcasts(
  writer: ProofWriter,
  { plan, row, columns, claims }: ProverContext,
  { output }: NodePlan,
  node: Combine,
): void {
  for (const { input } of node.terms) {
    const point = broadcastPoint(output, plan.tensors[input] as Tensor, row)
    if (point === undefined) continue
    const column = plan.tensorValues[input] as ValueIndex
    const value = evaluateIntegers(columns[column] as Int32Array, point)
    writer.exts('combine/broadcast', [value])
    claims.columns.push({ column, point, value })
  }
}
