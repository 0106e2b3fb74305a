import { type Deployment, type GroupHeader, VERDICT } from '@assay/protocol'
import { openBatchFile, type ReadView } from '@assay/verify'
import type { Address } from 'viem'
import type { ReceiptMemory } from './faults/equivocations.ts'
import { type Findings, findFaults } from './faults/findFaults.ts'
import type { WatchedBatch } from './validatorChain.ts'

export type BatchJudgement =
  | { verdict: typeof VERDICT.valid | typeof VERDICT.invalid; reason: string; findings: Findings }
  /** The bytes are not the committed ones: no statement can be made, so nothing is signed. */
  | { verdict: undefined; reason: string }

/**
 * What an honest validator says about a batch, given the bytes it fetched, the chain it reads and what it saw before;
 * and what of it can be proven.
 * @param read view of the chain for one receipt; its errors pass through, for a chain that does not answer proves nothing
 */
export async function judgeBatch(parameters: {
  deployment: Deployment
  escrow: Address
  batch: WatchedBatch
  file: Uint8Array
  /** The groups that its committer put on chain. */
  groups: () => Promise<readonly GroupHeader[]>
  read: ReadView
  memory: ReceiptMemory
}): Promise<BatchJudgement> {
  const { deployment, batch, file } = parameters
  // What was forced in was never in a file that anybody could have got wrong.
  const opened = batch.forced === undefined ? openBatchFile(file, batch, deployment) : undefined
  if (opened?.kind === 'foreign') return { verdict: undefined, reason: opened.reason }
  const findings = await findFaults({
    ...parameters,
    stated: opened?.kind === 'batch' ? opened.batch : undefined,
  })
  const invalid = findings.invalid ?? (opened?.kind === 'invalid' ? opened.reason : undefined)
  return invalid === undefined
    ? { verdict: VERDICT.valid, reason: `${batch.count} receipts hold`, findings }
    : { verdict: VERDICT.invalid, reason: invalid, findings }
}
