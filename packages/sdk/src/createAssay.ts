import { type Bundle, type Network, type Receipt, readInferAnswer } from '@assay/protocol'
import type { Report } from '@assay/verify'
import type { Hex } from 'viem'
import type { VerifiedAnswer } from './answer.ts'
import { type AssayFetchOptions, assayFetch, networkOf } from './assayFetch.ts'
import { type ChainReader, chainReaderOf } from './chainReader.ts'
import { readChatOutput, streamChatOutput } from './chatOutput.ts'
import { SdkError } from './errors.ts'
import { completeBundle, waitForReceipt } from './receiptStatus.ts'

export type ChatMessage = { role: string; content: string }

/** How long `chat` waits behind the answer: not at all, until the batch is on chain, or until it is final. */
export type Wait = 'answer' | 'settled' | 'final'

export type ChatParameters = {
  model: string
  messages: readonly ChatMessage[]
  /** Tokens. */
  max_tokens?: number | undefined
  temperature?: number | undefined
  seed?: number | undefined
  /** Ask for a stream; `onText` gets the text as it arrives. */
  stream?: boolean | undefined
  /** Text as it arrives. It is verified only when `chat` resolves, unless `buffer` was given to `createAssay`. */
  onText?: ((text: string) => void) | undefined
  /** Called when the answer is verified, before any waiting. */
  onVerified?: ((answer: VerifiedAnswer) => void) | undefined
  /** Default `settled`. */
  wait?: Wait | undefined
  /** Longest wait behind the answer, default 120 s. */
  waitMilliseconds?: number | undefined
  signal?: AbortSignal | undefined
}

export type ChatResult = {
  /** The assistant's message. */
  chatOutput: ChatMessage
  /** Transaction that committed the batch with this receipt; null under `wait: 'answer'`. Never an unmined hash. */
  transactionHash: Hex | null
  receipt: Receipt
  report: Report
  bundle: Bundle
}

export type InferParameters = {
  model: string
  /** Numbers as the model takes them, flat or as lists of lists. It will stand in a public file, as the proof is about it. */
  input: readonly unknown[]
  /** Default: whatever the model gives, which is a proof. */
  verification?: 'auto' | 'zk' | undefined
  /** Called when answer and signature are verified, before any waiting for the proof. */
  onVerified?: ((answer: VerifiedAnswer) => void) | undefined
  /** Default `settled`: the proof is verified and stands in a batch on chain. `answer` waits for no proof. */
  wait?: Wait | undefined
  /** Longest wait behind the answer, default 120 s. */
  waitMilliseconds?: number | undefined
  signal?: AbortSignal | undefined
}

export type InferResult = Omit<ChatResult, 'chatOutput'> & {
  output: number[]
  /** The proven integers that `output` stands for. */
  tensor: number[]
}

export type Assay = {
  network: Network
  chain: ChainReader
  fetch: typeof globalThis.fetch
  llm: { chat(parameters: ChatParameters): Promise<ChatResult> }
  /** Numbers through a circuit whose answers are proved (docs/zkml.md). */
  infer(parameters: InferParameters): Promise<InferResult>
}

/**
 * A client of one network.
 * @example
 * const { llm } = createAssay({ networkPath: '.assay/network.json', privateKey })
 * const { chatOutput, transactionHash } = await llm.chat({ model, messages })
 */
export function createAssay(options: Omit<AssayFetchOptions, 'onAnswer'>): Assay {
  const network = networkOf(options)
  const chain = options.chain ?? chainReaderOf(network)

  type Asked = Pick<ChatParameters, 'onVerified' | 'wait' | 'waitMilliseconds' | 'signal'>

  /** Asks, verifies, reads the answer, and waits for as long as asked. */
  async function ask<T>(
    path: string,
    headers: Record<string, string>,
    body: object,
    parameters: Asked,
    read: (response: Response) => Promise<T>,
  ): Promise<{ answer: T } & Omit<ChatResult, 'chatOutput'>> {
    let verified: VerifiedAnswer | undefined
    const paidFetch = assayFetch({
      ...options,
      network,
      chain,
      onAnswer(found) {
        verified = found
        parameters.onVerified?.(found)
      },
    })
    const response = await paidFetch(new URL(path, network.gatewayUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      ...(parameters.signal === undefined ? {} : { signal: parameters.signal }),
    })
    if (!response.ok) throw await gatewayError(response)
    const answer = await read(response)
    if (verified === undefined) throw new Error('unreachable: an answer resolves only after onAnswer')
    const { bundle, report } = verified
    const wait = parameters.wait ?? 'settled'
    if (wait === 'answer') return { answer, transactionHash: null, receipt: bundle.receipt, report, bundle }
    const { inclusion, transactionHash } = await waitForReceipt({
      network,
      chain,
      requestId: bundle.receipt.requestId,
      until: wait,
      timeoutMilliseconds: parameters.waitMilliseconds,
      signal: parameters.signal,
    })
    const complete = await completeBundle({ network, chain, bundle, inclusion, until: wait })
    return { answer, transactionHash, receipt: bundle.receipt, ...complete }
  }

  async function chat(parameters: ChatParameters): Promise<ChatResult> {
    const body = {
      model: parameters.model,
      messages: parameters.messages,
      max_tokens: parameters.max_tokens,
      temperature: parameters.temperature,
      seed: parameters.seed,
      stream: parameters.stream,
    }
    const { answer: chatOutput, ...rest } = await ask(
      '/v1/chat/completions',
      {},
      body,
      parameters,
      (response) =>
        parameters.stream === true ? streamChatOutput(response, parameters.onText) : readChatOutput(response),
    )
    return { chatOutput, ...rest }
  }

  async function infer(parameters: InferParameters): Promise<InferResult> {
    const { model, input, verification = 'auto' } = parameters
    // The proof is about the contents, which its batch file shows; asking for one is agreeing to that.
    const headers = { 'x-assay-settlement': 'full', 'x-assay-verification': verification }
    const { answer, ...rest } = await ask(
      '/v1/infer',
      headers,
      { model, input },
      parameters,
      async (response) => readInferAnswer(new Uint8Array(await response.arrayBuffer())),
    )
    return { output: answer.output, tensor: answer.tensor, ...rest }
  }

  return { network, chain, fetch: assayFetch({ ...options, network, chain }), llm: { chat }, infer }
}

/** The dialect's error, in our own shape. */
async function gatewayError(response: Response): Promise<SdkError> {
  const text = await response.text().catch(() => '')
  let error: { message?: unknown; code?: unknown } = {}
  try {
    const body = JSON.parse(text) as { error?: unknown }
    if (typeof body.error === 'object' && body.error !== null) error = body.error
    else if (typeof body.error === 'string') error = { message: body.error }
  } catch {
    // Not JSON: the status alone has to do.
  }
  const facts = {
    status: response.status,
    ...(typeof error.code === 'string' ? { code: error.code } : {}),
  }
  const message =
    typeof error.message === 'string' ? error.message.slice(0, 500) : 'The gateway answered with an error.'
  if (response.status === 402) {
    const underGrant = typeof error.code === 'string' && error.code.startsWith('grant_')
    return new SdkError(message, {
      code: 'payment_required',
      facts,
      next: underGrant
        ? 'Look at the grant: assay wallet grant list'
        : 'Look at the payer: assay wallet balance   (on a development network: assay wallet fund)',
    })
  }
  const retryAfter = response.headers.get('retry-after')
  return new SdkError(message, {
    code: 'gateway_error',
    facts,
    next: response.status === 429 ? `Ask again in ${retryAfter ?? 'a few'} seconds.` : undefined,
  })
}
