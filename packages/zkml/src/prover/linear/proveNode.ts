/** The prover's side of `verifier/linear/verifyNode.ts`. */
import type { NodePlan } from '../../circuit/plan.ts'
import type { Workspace } from '../../kernels/workspace.ts'
import type { ProofWriter } from '../../transcript/proofWriter.ts'
import { stateBroadcasts } from './combine.ts'
import { proveContract } from './contract.ts'
import { proveDense } from './product.ts'
import type { ProverContext } from './proverContext.ts'
import { proveConv2d, proveMaxPool, proveSumPool } from './windows.ts'

export function proveNode(
  work: Workspace,
  writer: ProofWriter,
  context: ProverContext,
  planned: NodePlan,
): void {
  const { node } = planned
  if (node.op === 'dense') proveDense(work, writer, context, planned, node.input)
  else if (node.op === 'conv2d') proveConv2d(work, writer, context, planned, node)
  else if (node.op === 'sumPool') proveSumPool(work, writer, context, planned, node)
  else if (node.op === 'maxPool') proveMaxPool(work, writer, context, planned, node)
  else if (node.op === 'contract') proveContract(writer, context, node)
  else if (node.op === 'combine') stateBroadcasts(writer, context, planned, node)
}
