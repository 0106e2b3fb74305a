import {
  type BatchEntry,
  type Bundle,
  deploymentOf,
  type HttpRequestBytes,
  type HttpResponseBytes,
  MODE_NAMES,
  type Network,
  type Receipt,
  readOpg,
  requestHash,
  type SignedReceipt,
  type SignedRequestAuth,
} from '@assay/protocol'
import { type Report, type StepName, verifyBundle } from '@assay/verify'
import type { Address, Hex } from 'viem'
import type { ChainReader } from './chainReader.ts'
import { SdkError } from './errors.ts'

/** What the caller paid for; the receipt must not say anything else. */
export type AnswerExpectation = {
  request: HttpRequestBytes
  /** The payer's signature on the request; absent for a client that has nothing but an API key, and for an answer given before. */
  requestAuth?: SignedRequestAuth | undefined
  /** Who is to be charged; with an API key the grant says it. */
  payer?: Address | undefined
  modelId: Hex
  /** Gateway that is to batch the receipt. */
  committer: Address
}

/** An answer whose bytes, signature and key were checked against the chain. */
export type VerifiedAnswer = { bundle: Bundle; report: Report }

/** Steps that can be decided the moment an answer arrives; those about its batch come later. */
const REQUIRED_AT_ONCE: readonly StepName[] = [
  'requestMatches',
  'responseMatches',
  'deploymentMatches',
  'receiptIsSound',
  'signatureRecoversKey',
  'keyWasAttested',
  'anchored',
  'priceMatches',
]

/**
 * Runs the shared checklist over an answer that just arrived. Steps about the batch are skipped, since no batch exists
 * yet; everything else must pass.
 * @throws SdkError `verification_failed` naming the failing steps.
 */
export async function answerReport(parameters: {
  network: Network
  chain: ChainReader
  expected: AnswerExpectation
  response: HttpResponseBytes
  signed: BatchEntry
}): Promise<VerifiedAnswer> {
  const { network, chain, expected, response, signed } = parameters
  mustBeOurs(signed, expected)
  const bundle: Bundle = {
    ...signed,
    request: expected.request,
    response,
    requestAuth: expected.requestAuth,
  }
  const required = [...REQUIRED_AT_ONCE, ...agreedBy(expected)]
  const policy = { required, deployment: deploymentOf(network) }
  const report = await verifyBundle(bundle, await readView(chain, signed), policy)
  mustBeOk(report, 'The answer did not pass verification; it is withheld.')
  return { bundle, report }
}

/**
 * What shows that the payer wanted to pay for this. An answer that was given before names the payment of that time, of
 * which nothing is left here but that it was the same payer's.
 */
function agreedBy({ requestAuth, payer }: AnswerExpectation): StepName[] {
  if (requestAuth !== undefined) return ['requestSignedByPayer']
  return payer === undefined ? ['withinGrant'] : []
}

/** @throws SdkError `verification_failed` with the failing steps as facts. */
export function mustBeOk(report: Report, message: string): void {
  if (report.ok) return
  const bad = report.steps.filter((step) => step.outcome === 'failed' || report.missing.includes(step.name))
  throw new SdkError(message, {
    code: 'verification_failed',
    facts: Object.fromEntries(bad.map((step) => [step.name, step.reason])),
    next: 'Do not rely on this answer. Ask another gateway, and keep the report as evidence.',
    report,
  })
}

async function readView(chain: ChainReader, signed: BatchEntry) {
  try {
    return await chain.view(signed)
  } catch (cause) {
    const { requestId, price } = signed.receipt
    // Not `unreachable`, which says that nothing was paid and invites to ask again.
    throw new SdkError('The chain could not be read, so the answer cannot be verified.', {
      code: 'verification_failed',
      facts: { requestId, price },
      next: `Check the rpcUrl of the network file. It is paid for; before asking again: assay verify ${requestId}`,
      cause,
    })
  }
}

/** A receipt of another request, payer, model or committer would be a valid receipt, but not for this call. */
function mustBeOurs({ receipt }: SignedReceipt, expected: AnswerExpectation): void {
  const auth = expected.requestAuth?.auth
  const { payer } = expected
  const disagreements = {
    requestId: auth === undefined || receipt.requestId === auth.requestId,
    requestHash: receipt.requestHash === requestHash(expected.request),
    payer: payer === undefined || receipt.payer.toLowerCase() === payer.toLowerCase(),
    modelId: receipt.modelId === expected.modelId,
    committer: receipt.committer.toLowerCase() === expected.committer.toLowerCase(),
    price: auth === undefined || receipt.price <= auth.maxPrice,
    ...worthAsked(receipt, expected.request),
  }
  const wrong = Object.entries(disagreements).flatMap(([name, agrees]) => (agrees ? [] : [name]))
  if (wrong.length === 0) return
  throw new SdkError('The receipt is not for this request; the answer is withheld.', {
    code: 'verification_failed',
    facts: { disagrees: wrong.join(', '), requestId: receipt.requestId },
    next: 'Do not use this answer. Ask another gateway.',
  })
}

/**
 * Whether an answer is worth what its request asked for (docs/routing.md). The gateway chose who answers, and both it and
 * a node without an enclave may have looked past the headers: what is signed must say that they did not.
 */
function worthAsked(
  { mode, valueAtRisk }: Receipt,
  { headers }: HttpRequestBytes,
): Record<'mode' | 'valueAtRisk', boolean> {
  const asked = (name: string) => headers.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1)
  const verification = asked('x-assay-verification') ?? 'auto'
  const stated = asked('x-assay-value-at-risk')
  const atRisk = stated === undefined ? 0n : readOpg(stated)
  return {
    mode: verification === 'auto' || verification === MODE_NAMES[mode],
    valueAtRisk: atRisk !== undefined && valueAtRisk >= atRisk,
  }
}
