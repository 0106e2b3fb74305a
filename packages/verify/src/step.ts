/** Steps of the checklist, in its order. */
export const STEP_NAMES = [
  'requestMatches',
  'responseMatches',
  'modelMatches',
  'deploymentMatches',
  'receiptIsSound',
  'proofHolds',
  'signatureRecoversKey',
  'keyWasAttested',
  'measurementWasApproved',
  'evidenceHolds',
  'anchored',
  'priceMatches',
  'requestSignedByPayer',
  'withinGrant',
  'committerMayInclude',
  'includedInBatch',
  'batchIsFinal',
  'paymentSettled',
] as const
export type StepName = (typeof STEP_NAMES)[number]

/** Why a step ended as it did. A code never changes its meaning. */
export type StepCode =
  | 'ok'
  | 'unreadable' // a value in the bundle cannot be hashed or compared at all
  | 'request_differs' // not the request that was signed
  | 'response_differs' // not the response that was signed
  | 'model_differs' // the manifest is not the receipt's model
  | 'model_absent' // skipped: no manifest in the bundle
  | 'deployment_differs' // the chain is not the deployment asked about
  | 'deployment_not_given' // skipped: nothing to compare the chain with
  | 'receipt_rule_broken' // a rule of docs/spec.md §4 that needs no chain
  | 'mode_unsupported' // replay, whose evidence this verifier cannot check
  | 'not_zk' // skipped: another mode
  | 'nothing_to_prove' // skipped: a zk receipt of an answer that was not given
  | 'proof_absent' // skipped: the proof is not in the bundle; failed in a batch, which must hold it
  | 'proof_differs' // a proof about other bodies, another model, or other numbers
  | 'proof_invalid' // a check of the proof system failed
  | 'model_unproven' // the chain names no card or another root for the model
  | 'signature_malformed' // not 65 bytes in canonical form
  | 'signature_of_other_key' // another key signed, or for another deployment
  | 'key_unknown' // never registered
  | 'key_of_other_node' // registered by another operator
  | 'key_not_valid_then' // not valid when the receipt was issued
  | 'key_mode_differs' // bonded mode without bonded key, or the reverse
  | 'engine_class_not_allowed' // the key or measurement may not claim this engine class
  | 'hardware_not_approved' // hardware type or root not approved at that time
  | 'measurement_not_approved' // code not approved at that time
  | 'unmeasured' // skipped: bonded keys carry no measurement
  | 'evidence_absent' // skipped: not in the bundle
  | 'evidence_differs' // not the evidence that was registered
  | 'evidence_invalid' // registered, but the attestation does not hold
  | 'anchor_unknown' // the chain has no such block
  | 'anchor_differs' // another block hash: another chain or a lost fork
  | 'time_out_of_order' // anchor, issue and commit times contradict each other
  | 'price_unknown' // the model or this version of its price does not exist
  | 'price_not_valid_then' // the price row began after the receipt
  | 'price_differs' // not what the units cost
  | 'request_unsigned' // skipped: the payer did not sign the request
  | 'request_auth_differs' // the payer signed something else
  | 'not_under_grant' // skipped: the call paid for itself
  | 'grant_unknown' // the chain holds no such grant
  | 'grant_differs' // the grant is another's, or the call has no place under it
  | 'grant_exceeded' // ended, or for another model, node or a lower price
  | 'grant_twice' // two receipts of one batch in one place, or more than an hour may cost
  | 'committer_not_entitled' // a stranger's batch before includeBy, or of a call under a grant
  | 'inclusion_absent' // skipped: no inclusion proof in the bundle
  | 'inclusion_differs' // the proof does not lead to the batch root
  | 'batch_unknown' // the chain knows no such batch
  | 'batch_differs' // the chain's batch of that id has another header
  | 'batch_pending' // skipped: committed, not final yet
  | 'batch_void' // void or expired
  | 'payment_unseen' // skipped: escrow has not collected it
  | 'payment_pending' // skipped: locked, not settled yet
  | 'payment_differs' // another payer, gateway or amount
  | 'payment_refunded' // the payer got it back
  | 'deposit_short' // the deposit behind the grant did not hold the price

export type Step = {
  name: StepName
  outcome: 'passed' | 'failed' | 'skipped'
  /** One sentence for a person. */
  reason: string
  code: StepCode
}

export type Outcome = Omit<Step, 'name'>

export const passed = (reason: string): Outcome => ({ outcome: 'passed', reason, code: 'ok' })
export const failed = (code: StepCode, reason: string): Outcome => ({ outcome: 'failed', reason, code })
export const skipped = (code: StepCode, reason: string): Outcome => ({ outcome: 'skipped', reason, code })

/** Runs one check; whatever it throws on hostile input is a failed step, not an exception. */
export async function step(name: StepName, check: () => Outcome | Promise<Outcome>): Promise<Step> {
  try {
    return { name, ...(await check()) }
  } catch (error) {
    const reason =
      error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, 200) : 'unknown form'
    return { name, ...failed('unreadable', `It cannot be read: ${reason}`) }
  }
}

/** Addresses and hashes compare without regard to case. */
export function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
