import {
  type Bundle,
  deploymentOf,
  type Evidence,
  evidenceFromJson,
  type GrantCall,
  grantCallFromJson,
  type Inclusion,
  inclusionFromJson,
  type Json,
  MODE,
  manifestOfUri,
  type Network,
  type ProofAttachment,
  parseCanonicalJson,
  proofAttachmentFromJson,
  type SignedReceipt,
  signedReceiptFromJson,
} from '@assay/protocol'
import { type Report, type StepName, verifyBundle } from '@assay/verify'
import type { Hex } from 'viem'
import { mustBeOk } from './answer.ts'
import type { ChainReader } from './chainReader.ts'
import { SdkError } from './errors.ts'
import { jsonObjectIn } from './jsonObject.ts'
import { readBounded } from './limits.ts'

const STATES = ['pending', 'batched', 'committed', 'attested', 'final', 'void', 'failed'] as const
export type ReceiptState = (typeof STATES)[number]

/** What the gateway says about a receipt. Only the inclusion proof is checked later; the rest is its word. */
export type ReceiptStatus = {
  requestId: Hex
  state: ReceiptState
  /** The receipt itself; undefined where the gateway shows none. */
  signed: SignedReceipt | undefined
  /** Place under the grant that pays; undefined where the call paid for itself. */
  grant: GrantCall | undefined
  inclusion: Inclusion | undefined
  /** Transaction that committed the batch; undefined until it is mined. */
  transactionHash: Hex | undefined
}

const POLL_MILLISECONDS = 300
const MAX_STATUS_BYTES = 256 * 1024
const MAX_DOCUMENT_BYTES = 1024 * 1024
const MAX_PROOF_DOCUMENT_BYTES = 8 * 1024 * 1024

/** Fetches a document of bounded size; undefined for 404. @throws SdkError `unreachable` | `gateway_error` */
async function getBytes(url: string, maxBytes: number): Promise<Uint8Array | undefined> {
  let response: Response
  try {
    response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(10_000) })
  } catch (cause) {
    throw new SdkError('A server of the network does not answer.', {
      code: 'unreachable',
      facts: { url: new URL(url).origin },
      cause,
    })
  }
  if (response.status === 404) {
    void response.body?.cancel()
    return undefined
  }
  if (!response.ok) {
    void response.body?.cancel()
    throw new SdkError('A server of the network answered with an error.', {
      code: 'gateway_error',
      facts: { url, status: response.status },
    })
  }
  return readBounded(response, 'gateway_error', maxBytes)
}

/** State of a receipt; undefined while the gateway knows none. @throws SdkError `unreachable` | `gateway_error` */
export async function readReceiptStatus(
  network: Network,
  requestId: Hex,
): Promise<ReceiptStatus | undefined> {
  const bytes = await getBytes(
    new URL(`/v1/receipts/${requestId}`, network.gatewayUrl).href,
    MAX_STATUS_BYTES,
  )
  if (bytes === undefined) return undefined
  const status = jsonObjectIn(bytes)
  if (status === undefined) {
    throw new SdkError('The gateway did not answer with a JSON object.', { code: 'gateway_error' })
  }
  const state = STATES.find((name) => name === status.state)
  if (state === undefined) {
    throw new SdkError('The gateway reports a state that this client does not know.', {
      code: 'gateway_error',
      facts: { state: String(status.state).slice(0, 64) },
    })
  }
  const { transactionHash, inclusion, receipt, signature, grant } = status
  const signed =
    receipt === undefined || receipt === null
      ? undefined
      : signedReceiptFromJson({ receipt: receipt as Json, signature: String(signature) })
  // Sound as it may be, it says nothing of this request; whoever checks it looks at the receipt alone from here on.
  if (signed !== undefined && signed.receipt.requestId !== requestId.toLowerCase()) {
    throw new SdkError('The gateway answers with the receipt of another request.', {
      code: 'gateway_error',
      facts: { asked: requestId, answered: signed.receipt.requestId },
      next: 'Do not rely on what this gateway says. Ask another one, or check a saved bundle.',
    })
  }
  return {
    requestId,
    state,
    signed,
    grant: grant === undefined || grant === null ? undefined : grantCallFromJson(grant as Json),
    inclusion:
      typeof inclusion === 'object' && inclusion !== null ? inclusionFromJson(inclusion as Json) : undefined,
    transactionHash:
      typeof transactionHash === 'string' && /^0x[0-9a-f]{64}$/.test(transactionHash)
        ? (transactionHash as Hex)
        : undefined,
  }
}

/** Bytes of a batch file as the gateway serves it; undefined if it has none. Its hash is for the caller to check. */
export async function readBatchFile(
  network: Network,
  batchId: Hex,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  return getBytes(new URL(`/v1/batches/${batchId}/data`, network.gatewayUrl).href, maxBytes)
}

/** What proves a receipt of mode zk; undefined while the gateway has no proof. @throws SdkError, AssayError `malformed` */
export async function readProof(network: Network, requestId: Hex): Promise<ProofAttachment | undefined> {
  const url = new URL(`/v1/proofs/${requestId}`, network.gatewayUrl).href
  const bytes = await getBytes(url, MAX_PROOF_DOCUMENT_BYTES)
  return bytes === undefined
    ? undefined
    : proofAttachmentFromJson(parseCanonicalJson(bytes, MAX_PROOF_DOCUMENT_BYTES))
}

/** Whether a question that failed may be asked again. */
function mayPass(error: unknown): boolean {
  return error instanceof SdkError && (error.code === 'unreachable' || error.code === 'gateway_error')
}

/** States in which a wait is over, besides `void` and `failed`, which end every wait. */
const REACHED = {
  settled: ['committed', 'attested', 'final'],
  final: ['final'],
} as const

/**
 * Waits until the receipt's batch is on chain (`settled`) or can no longer change (`final`). The gateway's word is
 * checked against the chain before it counts, so a reported hash always exists.
 * @throws SdkError `wait_timeout` | `gateway_error` | `unreachable`, or why the chain could not be read
 */
export async function waitForReceipt(parameters: {
  network: Network
  chain: ChainReader
  requestId: Hex
  until: 'settled' | 'final'
  /** Default 120 s. */
  timeoutMilliseconds?: number | undefined
  signal?: AbortSignal | undefined
}): Promise<ReceiptStatus & { inclusion: Inclusion; transactionHash: Hex }> {
  const { network, chain, requestId, until } = parameters
  const timeout = parameters.timeoutMilliseconds ?? 120_000
  const deadline = Date.now() + timeout
  let last = 'unknown'
  for (;;) {
    parameters.signal?.throwIfAborted()
    const status = await readReceiptStatus(network, requestId).catch((error: unknown) => {
      // The answer is paid for and good: a gateway that is away for a moment must not cost its caller that.
      if (Date.now() >= deadline || !mayPass(error)) throw error
      return undefined
    })
    last = status?.state ?? 'unknown'
    if (last === 'failed') {
      throw new SdkError('The receipt was refused and will not be settled; nothing is charged.', {
        code: 'gateway_error',
        facts: { requestId },
      })
    }
    const { inclusion, transactionHash } = status ?? {}
    const reached = (REACHED[until] as readonly string[]).includes(last)
    if (status !== undefined && reached && inclusion !== undefined && transactionHash !== undefined) {
      const isCommit = await chain.isCommit(transactionHash, inclusion.batchId).catch((error: unknown) => {
        // Nor must a chain that is.
        if (Date.now() >= deadline) throw error
        return false
      })
      if (isCommit) return { ...status, inclusion, transactionHash }
      last = `${last}, but its transaction is not on this chain`
    }
    if (Date.now() >= deadline) {
      throw new SdkError(`The receipt was not ${until} in time.`, {
        code: 'wait_timeout',
        facts: { requestId, state: last, waitedSeconds: Math.round(timeout / 1000) },
        next: `Look again later: assay verify ${requestId}`,
      })
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS))
  }
}

/**
 * Adds to an answer's bundle what a stranger needs to check it without any server of ours: the inclusion proof, the
 * enclave's evidence and the model's manifest. Evidence or manifest that cannot be had stay absent, and the checklist
 * shows their steps as skipped.
 * @throws SdkError `verification_failed` if the gateway's inclusion proof does not lead to what the chain holds.
 */
export async function completeBundle(parameters: {
  network: Network
  chain: ChainReader
  bundle: Bundle
  inclusion: Inclusion
  /** `final` also requires that the batch can no longer change. */
  until: 'settled' | 'final'
}): Promise<{ bundle: Bundle; report: Report }> {
  const { network, chain, inclusion } = parameters
  const { receipt, signature, grant } = parameters.bundle
  const signed = { receipt, signature, grant }
  const evidence = await readEvidence(network, chain, parameters.bundle)
  const { modelId } = signed.receipt
  const model = manifestOfUri((await chain.manifestUri(modelId)) ?? '', modelId)
  const bundle: Bundle = { ...parameters.bundle, inclusion }
  if (evidence !== undefined) bundle.evidence = evidence
  if (model !== undefined) bundle.model = model
  const proof = receipt.mode === MODE.zk ? await readProof(network, receipt.requestId) : undefined
  // The bodies are our own: what we asked and got is what the proof must be about.
  if (proof !== undefined) {
    const { request, response } = bundle
    bundle.zk = { ...proof, request, response }
  }
  const view = await chain.view(signed, { inclusion, evidence })
  const required: StepName[] = ['includedInBatch', 'proofHolds']
  if (parameters.until === 'final') required.push('batchIsFinal')
  const report = await verifyBundle(bundle, view, { required, deployment: deploymentOf(network) })
  mustBeOk(report, 'The answer was verified, but its settlement was not.')
  return { bundle, report }
}

async function readEvidence(
  network: Network,
  chain: ChainReader,
  { receipt, signature }: Bundle,
): Promise<Evidence | undefined> {
  const { key } = await chain.view({ receipt, signature })
  const node = network.nodes.find((entry) => entry.operator.toLowerCase() === receipt.node.toLowerCase())
  if (key === null || key.bonded || node === undefined) return undefined
  const url = new URL(`/v1/evidence/${key.evidenceHash}`, node.url).href
  // The checklist compares its hash with the registry, so a wrong document is shown as failed, not trusted; one that
  // cannot be read at all is as good as none.
  return getBytes(url, MAX_DOCUMENT_BYTES)
    .then((bytes) =>
      bytes === undefined ? undefined : evidenceFromJson(parseCanonicalJson(bytes, MAX_DOCUMENT_BYTES)),
    )
    .catch(() => undefined)
}
