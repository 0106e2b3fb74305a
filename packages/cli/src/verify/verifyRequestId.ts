import { publicClientOf, readChainView } from '@assay/chain'
import { deploymentOf, MODE, type Network } from '@assay/protocol'
import { readProof, readReceiptStatus } from '@assay/sdk'
import { type Report, type Step, type StepName, verifyBundle, verifyReceipt } from '@assay/verify'
import type { Hex } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import type { Verification } from '../commands/verify.ts'
import { receiptTrust } from './receiptTrust.ts'

/** Steps that need the contents of the call, which the network does not keep. */
const CONTENT_STEPS: readonly StepName[] = [
  'requestMatches',
  'responseMatches',
  'requestSignedByPayer',
  'modelMatches',
  'evidenceHolds',
]

/** Checks the receipt that the gateway has for a request, and its batch, against the chain. */
export async function verifyRequestId(network: Network, requestId: Hex): Promise<Verification> {
  const status = await readReceiptStatus(network, requestId)
  if (status?.signed === undefined) {
    throw new CliError('Neither the chain nor the gateway knows this id.', {
      exitCode: EXIT.failed,
      code: 'not_found',
      facts: { id: requestId, gateway: network.gatewayUrl },
      next: 'Check the id; it is printed by assay chat and stands in x-assay-request-id.',
    })
  }
  const { inclusion, grant } = status
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
  const report: Report = {
    steps,
    missing: full.missing,
    ok: full.missing.length === 0 && steps.every((step) => step.outcome !== 'failed'),
    trust,
  }
  return {
    subject: requestId,
    reports: [{ name: requestId, report }],
    note:
      zk === undefined
        ? 'Contents are not kept by the network: only a saved bundle shows what was asked and answered.'
        : undefined,
  }
}
