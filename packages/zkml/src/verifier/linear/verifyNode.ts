/** The linear half of a node: its accumulators at the random row, reduced to claims about its input and weights. */
import type { NodePlan } from '../../circuit/plan.ts'
import type { ProofReader } from '../../transcript/proofReader.ts'
import { verifyCombine } from './combine.ts'
import { verifyContract } from './contract.ts'
import { verifyDense } from './product.ts'
import type { RowContext } from './rowContext.ts'
import { verifyConv2d, verifyMaxPool, verifySumPool } from './windows.ts'

/** @throws ZkmlError invalid_proof */
export function verifyNode(reader: ProofReader, context: RowContext, planned: NodePlan): void {
  switch (planned.node.op) {
    case 'dense':
      verifyDense(reader, context, planned, planned.node.input)
      break
    case 'conv2d':
      verifyConv2d(reader, context, planned, planned.node)
      break
    case 'sumPool':
      verifySumPool(reader, context, planned, planned.node)
      break
    case 'maxPool':
      verifyMaxPool(reader, context, planned, planned.node)
      break
    case 'contract':
      verifyContract(reader, context, planned, planned.node)
      break
    case 'map':
      // Its lookup says all.
      break
    case 'combine':
      verifyCombine(reader, context, planned, planned.node)
      break
  }
}
