import { publicClientOf, readChainView } from '@assay/chain'
import { deploymentOf, MODE, type Network } from '@assay/protocol'
import { type Report, type Step, type StepName, verifyBundle, verifyReceipt } from '@assay/verify'
import type { Hex } from 'viem'
import { type ReceiptState, readProof, readReceiptStatus } from './receiptStatus.ts'
import { receiptTrust } from './receiptTrust.ts'

/** Steps that need the contents of the call, which the network does not keep. */
const CONTENT_STEPS: readonly StepName[] = [
  'requestMatches',
  'responseMatches',
  'requestSignedByPayer',
  'modelMatches',
  'evidenceHolds',
]

/** What there is to say of a request. */
export type RequestReport = {
  /** The word of the gateway. Without a receipt `pending` may still come to one; `failed` never will. */
  state: ReceiptState
  /** Undefined where there is no receipt to check. */
  report: Report | undefined
}

/**
 * Checks the receipt that the gateway has for a request, and its batch, against the chain. Undefined where the gateway
 * does not know the request. @throws SdkError `unreachable` | `gateway_error`
 */
export async function readRequestReport(
  network: Network,
  requestId: Hex,
): Promise<RequestReport | undefined> {
  const status = await readReceiptStatus(network, requestId)
  if (status === undefined) return undefined
  const { state, inclusion, grant } = status
  if (status.signed === undefined) return { state, report: undefined }
  const zk = status.signed.receipt.mode === MODE.zk ? await readProof(network, requestId) : undefined
  const signed = { ...status.signed, grant, zk }
  const view = await readChainView(publicClientOf(network), network, signed, { inclusion })
  const empty = { method: 'POST', path: '/', headers: [], body: new Uint8Array() }
  const bundle = {
    ...signed,
    inclusion,
    request: zk?.request ?? empty,
    response: zk?.response ?? { status: 200, contentType: '', body: new Uint8Array() },
  }
  const full = await verifyBundle(bundle, view, {
    required: ['includedInBatch', 'proofHolds'],
    deployment: deploymentOf(network),
  })
  const trust = receiptTrust(await verifyReceipt(signed, view))
  // Contents are kept where a proof is about them.
  const answered = (name: StepName) => name === 'requestMatches' || name === 'responseMatches'
  const shown = ({ name }: Step) => !CONTENT_STEPS.includes(name) || (zk !== undefined && answered(name))
  const steps = full.steps.filter(shown)
  const ok = full.missing.length === 0 && steps.every((step) => step.outcome !== 'failed')
  return { state, report: { steps, missing: full.missing, ok, trust } }
}
