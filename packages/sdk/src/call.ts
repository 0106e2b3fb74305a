import { AssayError, type Bundle, NAME_HEADER, type Network, type Receipt } from '@assay/protocol'
import type { Report } from '@assay/verify'
import type { Hex } from 'viem'
import type { VerifiedAnswer } from './answer.ts'
import type { ChainReader } from './chainReader.ts'
import { SdkError } from './errors.ts'
import { gatewayError } from './gatewayError.ts'
import { completeBundle, waitForReceipt } from './receiptStatus.ts'
import type { VerifiedFetch } from './verifiedFetch.ts'
import { withResolvers } from './withResolvers.ts'

/** How long a call waits behind the answer: not at all, until the batch is on chain, or until it is final. */
export type Wait = 'answer' | 'settled' | 'final'

/** What every way of asking takes. */
export type CallParameters = {
  /** Further members of the request's body, under the names that the OpenAI dialect gives them. */
  extra?: Readonly<Record<string, unknown>> | undefined
  /** How the answer is to be verifiable; the network's own choice where none is given. */
  verification?: 'auto' | 'tee' | 'zk' | 'replay' | 'bonded' | undefined
  /** What a wrong answer would cost you, in OPG, e.g. `0.5`: the bonds behind the answer must cover it. */
  valueAtRisk?: string | undefined
  /** What of the call is made public: its receipt, or its contents too, which nodes take where a proof is about them. */
  settlement?: 'batch' | 'full' | undefined
  /**
   * Your name for the request, 16 to 128 letters, digits, hyphens and underscores. Sent again under it, within an hour, an
   * answered request gets the same answer and is not charged twice. Not for encrypted requests.
   */
  idempotencyKey?: string | undefined
  /**
   * Called right before the payment goes out: from then on, asking again may pay again. With the id under which it is known
   * what became of the request; undefined with an API key, until there is an answer.
   */
  onPaid?: ((requestId: Hex | undefined) => void) | undefined
  /** Called when the answer is verified, before any waiting. */
  onVerified?: ((answer: VerifiedAnswer) => void) | undefined
  /** Default `settled`. */
  wait?: Wait | undefined
  /** Longest wait behind the answer, default 120 s. */
  waitMilliseconds?: number | undefined
  signal?: AbortSignal | undefined
}

/** What every answer comes with. */
export type Proof = {
  /** Transaction that committed the batch with this receipt; null under `wait: 'answer'`. Never an unmined hash. */
  transactionHash: Hex | null
  receipt: Receipt
  report: Report
  bundle: Bundle
}

/** What calls are made with. */
export type Caller = { network: Network; chain: ChainReader; fetch: VerifiedFetch }

/** A call under way: its response, and what is known once the response was read to its end or left. */
export type Begun = {
  response: Response
  verified: Promise<VerifiedAnswer>
  /** Waits behind the answer, from when it is asked: who left a stream and wants no more is not kept waiting. */
  proof(): Promise<Proof>
}

/** Asks; resolves with the head of an answer. @throws SdkError, also for an error answer */
export async function begin(
  { network, chain, fetch }: Caller,
  path: string,
  body: Readonly<Record<string, unknown>>,
  parameters: CallParameters,
): Promise<Begun> {
  const verified = withResolvers<VerifiedAnswer>()
  const { verification, valueAtRisk, settlement, idempotencyKey, signal } = parameters
  const headers = {
    'content-type': 'application/json',
    ...(verification === undefined ? {} : { 'x-assay-verification': verification }),
    ...(settlement === undefined ? {} : { 'x-assay-settlement': settlement }),
    ...(valueAtRisk === undefined ? {} : { 'x-assay-value-at-risk': valueAtRisk }),
    ...(idempotencyKey === undefined ? {} : { [NAME_HEADER]: idempotencyKey }),
  }
  const init = { method: 'POST', headers, body: JSON.stringify({ ...body, ...parameters.extra }) }
  const response = await fetch(
    new URL(path, network.gatewayUrl),
    signal === undefined ? init : { ...init, signal },
    {
      onAnswer(answer) {
        parameters.onVerified?.(answer)
        verified.resolve(answer)
      },
      onPaid: parameters.onPaid,
      onUnverified: (error) => verified.reject(error),
      onFailed: (error) => verified.reject(error),
    },
  )
  if (!response.ok) throw await gatewayError(response)
  // Whoever wants it awaits it; a stream's own error is raised by the stream.
  verified.promise.catch(() => undefined)
  const proof = async () => prove({ network, chain }, await verified.promise, parameters)
  return { response, verified: verified.promise, proof }
}

/** Asks for a whole answer and reads it. */
export async function callWhole<Output>(
  caller: Caller,
  path: string,
  body: Readonly<Record<string, unknown>>,
  parameters: CallParameters,
  read: (response: Response) => Promise<Output>,
): Promise<{ output: Output; proof: Proof }> {
  const begun = await begin(caller, path, body, parameters)
  const output = await read(begun.response)
  const proof = () => {
    // It left no stream: whoever stops the call while its answer is verified does not want to wait behind it.
    parameters.signal?.throwIfAborted()
    return begun.proof()
  }
  return { output, proof: await proofOf({ ...begun, proof }, output) }
}

/** The proof of what was read. @throws SdkError with the answer, where that is good and only the wait behind it failed */
export async function proofOf({ verified, proof }: Begun, output: unknown): Promise<Proof> {
  try {
    return await proof()
  } catch (error) {
    const answer = await verified.catch(() => undefined)
    if (answer !== undefined && error instanceof SdkError) error.answer = { output, bundle: answer.bundle }
    throw error
  }
}

/** Waits behind an answer as long as its caller wants to, and adds what came of it. @throws SdkError, or the caller's own reason */
async function prove(
  caller: Pick<Caller, 'network' | 'chain'>,
  answer: VerifiedAnswer,
  parameters: CallParameters,
): Promise<Proof> {
  const { bundle, report } = answer
  const { receipt } = bundle
  const until = parameters.wait ?? 'settled'
  if (until === 'answer') return { transactionHash: null, receipt, report, bundle }
  const { requestId } = receipt
  const { network, chain } = caller
  const waited = waitForReceipt({
    network,
    chain,
    requestId,
    until,
    timeoutMilliseconds: parameters.waitMilliseconds,
    // A signal that ended the stream has done its work; whoever still awaits the result wants it.
    signal: parameters.signal?.aborted === true ? undefined : parameters.signal,
  })
  const { inclusion, transactionHash } = await orNotRead(waited, { requestId }, parameters)
  const completed = completeBundle({ network, chain, bundle, inclusion, until })
  const settled = await orNotRead(completed, { requestId, transactionHash }, parameters)
  return { transactionHash, receipt, ...settled }
}

/** What is found out behind an answer; that it could not be, in our own words, with what is known till then. */
async function orNotRead<Value>(
  work: Promise<Value>,
  known: { requestId: Hex; transactionHash?: Hex },
  { signal }: CallParameters,
): Promise<Value> {
  try {
    return await work
  } catch (error) {
    if (error instanceof SdkError || signal?.aborted === true) throw error
    throw notRead(known, error)
  }
}

/** A document of the gateway's that is none, or a chain that is away: the answer is good all the same. */
function notRead(known: { requestId: Hex; transactionHash?: Hex }, cause: unknown): SdkError {
  const malformed = cause instanceof AssayError && cause.code !== 'unreachable'
  const what = malformed ? 'what the gateway says of its settlement' : 'the chain that it settles on'
  return new SdkError(`The answer is verified, but ${what} could not be read.`, {
    code: malformed ? 'gateway_error' : 'unreachable',
    facts: known,
    next: `It is paid for; look again later: assay verify ${known.requestId}`,
    cause,
  })
}
