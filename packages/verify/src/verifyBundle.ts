import { type Bundle, type Deployment, MODE } from '@assay/protocol'
import type { ChainView } from './chainView.ts'
import { type Report, report } from './report.ts'
import type { StepName } from './step.ts'
import { anchored } from './steps/anchored.ts'
import { batchIsFinal } from './steps/batchIsFinal.ts'
import { committerMayInclude } from './steps/committerMayInclude.ts'
import { deploymentMatches } from './steps/deploymentMatches.ts'
import { evidenceHolds } from './steps/evidenceHolds.ts'
import { includedInBatch } from './steps/includedInBatch.ts'
import { keyWasAttested } from './steps/keyWasAttested.ts'
import { measurementWasApproved } from './steps/measurementWasApproved.ts'
import { modelMatches } from './steps/modelMatches.ts'
import { paymentSettled } from './steps/paymentSettled.ts'
import { priceMatches } from './steps/priceMatches.ts'
import { proofHolds } from './steps/proofHolds.ts'
import { receiptIsSound } from './steps/receiptIsSound.ts'
import { requestMatches } from './steps/requestMatches.ts'
import { requestSignedByPayer } from './steps/requestSignedByPayer.ts'
import { responseMatches } from './steps/responseMatches.ts'
import { signatureRecoversKey } from './steps/signatureRecoversKey.ts'
import { withinGrant } from './steps/withinGrant.ts'
import { trustStatement } from './trust.ts'

/** What a reader asks beyond "nothing failed": validity is the checklist's, policy is theirs. */
export type Policy = {
  /** Steps that must have passed; a skipped one makes the report not ok. */
  required?: readonly StepName[] | undefined
  /** The deployment meant; the chain must answer as this one. */
  deployment?: Deployment | undefined
}

/** An answer counts when it is in a batch on the chain; finality is asked for by adding `batchIsFinal`. */
export const DEFAULT_REQUIRED: readonly StepName[] = ['includedInBatch']

/**
 * THE checklist: whether this answer is what an admitted key signed for this request, at the right price, and settled.
 * No I/O and no exceptions; everything the chain says is in `view`.
 */
export async function verifyBundle(bundle: Bundle, view: ChainView, policy: Policy = {}): Promise<Report> {
  const { receipt } = bundle
  const steps = await Promise.all([
    requestMatches(bundle), // the bytes you sent
    responseMatches(bundle), // the bytes you got
    modelMatches(bundle), // from the model you asked
    deploymentMatches(view, policy.deployment), // on the chain you meant
    receiptIsSound(receipt), // by the rules of the format
    ...(receipt.mode === MODE.zk ? [proofHolds(bundle, view)] : []), // with a proof, where one is promised
    signatureRecoversKey(bundle, view), // one key signed it all
    keyWasAttested(receipt, view), // that key lived in this operator's enclave
    measurementWasApproved(receipt, view), // running code that was voted in, then
    evidenceHolds(bundle, view), // as its attestation says
    anchored(receipt, view), // at this time
    priceMatches(receipt, view), // for this price
    requestSignedByPayer(bundle, view), // that the payer agreed to
    withinGrant(bundle, view), // or lets this gateway spend
    committerMayInclude(bundle, view), // and the right gateway
    includedInBatch(bundle, view), // put it into a batch
    batchIsFinal(bundle, view), // that the chain made final
    paymentSettled(bundle, view), // and the money followed
  ])
  const signedByPayer = steps.some(
    (entry) => entry.name === 'requestSignedByPayer' && entry.outcome === 'passed',
  )
  return report(
    steps,
    policy.required ?? DEFAULT_REQUIRED,
    trustStatement({ receipt, view, signedByPayer, steps }),
  )
}
