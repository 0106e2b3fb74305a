import { type Batch, type BatchEntry, batchEntries, MODE, type SpendingGrant } from '@assay/protocol'
import type { Hex } from 'viem'
import type { ChainView } from './chainView.ts'
import { grantBroken } from './grantsKept.ts'
import { type Report, report } from './report.ts'
import type { Step } from './step.ts'
import { anchored } from './steps/anchored.ts'
import { committerMayInclude } from './steps/committerMayInclude.ts'
import { keyWasAttested } from './steps/keyWasAttested.ts'
import { measurementWasApproved } from './steps/measurementWasApproved.ts'
import { priceMatches } from './steps/priceMatches.ts'
import { proofHolds } from './steps/proofHolds.ts'
import { receiptIsSound } from './steps/receiptIsSound.ts'
import { signatureRecoversKey } from './steps/signatureRecoversKey.ts'
import { withinGrant } from './steps/withinGrant.ts'
import { trustStatement } from './trust.ts'

/**
 * The part of the checklist that a receipt and the chain can answer without the contents: what a validator attests.
 * `view.batch` is the batch under judgement.
 */
export async function verifyReceipt(signed: BatchEntry, view: ChainView): Promise<Report> {
  const { receipt } = signed
  const steps = await Promise.all([
    receiptIsSound(receipt),
    ...(receipt.mode === MODE.zk ? [proofHolds(signed, view).then(mustBeThere)] : []),
    signatureRecoversKey(signed, view),
    keyWasAttested(receipt, view),
    measurementWasApproved(receipt, view),
    anchored(receipt, view),
    priceMatches(receipt, view),
    withinGrant(signed, view),
    committerMayInclude(signed, view),
  ])
  return report(steps, [], trustStatement({ receipt, view, signedByPayer: false, steps }))
}

/** A batch holds the proofs of its receipts: without one there is nothing to attest. */
function mustBeThere(found: Step): Step {
  return found.code === 'proof_absent' ? { ...found, outcome: 'failed' } : found
}

export type BatchReport = {
  ok: boolean
  /** Receipts with a failed step, and which. */
  failures: { entry: BatchEntry; steps: Step[] }[]
}

/**
 * Every receipt of a parsed batch file against its view; `viewOf` may read the chain, this function does not.
 * @param most failures after which it stops: a batch of nothing but bad receipts must not keep a validator busy
 */
export async function verifyBatchReceipts(
  batch: Batch,
  viewOf: (signed: BatchEntry) => ChainView | Promise<ChainView>,
  most: number,
): Promise<BatchReport> {
  const failures: BatchReport['failures'] = []
  const underGrant = new Map<Hex, { grant: SpendingGrant; entries: BatchEntry[] }>()
  for (const entry of batchEntries(batch)) {
    const view = await viewOf(entry)
    const { steps, ok } = await verifyReceipt(entry, view)
    if (ok && entry.grant !== undefined && view.grant !== null) {
      const known = underGrant.get(entry.grant.id)
      if (known === undefined) {
        underGrant.set(entry.grant.id, { grant: view.grant.grant, entries: [entry] })
      } else known.entries.push(entry)
    }
    if (ok) continue
    failures.push({ entry, steps: steps.filter(({ outcome }) => outcome === 'failed') })
    if (failures.length === most) return { ok: false, failures }
  }
  for (const { grant, entries } of underGrant.values()) {
    const broken = grantBroken(entries, grant)
    if (broken === undefined) continue
    const steps = [{ name: 'withinGrant' as const, ...broken.outcome }]
    failures.push({ entry: broken.entry, steps })
  }
  return { ok: failures.length === 0, failures }
}
