import { loadNetwork } from '@assay/chain'
import {
  CONFIDENTIAL_PATH,
  decodeReceiptHeader,
  type HttpRequestBytes,
  INFERENCE_PATHS,
  listedHeaders,
  type Network,
  RECEIPT_HEADER,
  type SignedReceipt,
} from '@assay/protocol'
import type { Hex } from 'viem'
import { answerReport, type VerifiedAnswer } from './answer.ts'
import { type ChainReader, chainReaderOf } from './chainReader.ts'
import {
  type Channel,
  openChannel,
  outerHeaders,
  quoteConfidential,
  salt,
  sealRequest,
} from './confidential.ts'
import { SdkError } from './errors.ts'
import { readBounded } from './limits.ts'
import type { PaymentScheme } from './payer.ts'
import { readReceiptStatus } from './receiptStatus.ts'
import { type Paid, signingPayer } from './signingPayer.ts'
import { sseGuard } from './sseGuard.ts'

export type AssayFetchOptions = {
  /** The network: its file's content, or `networkPath`. */
  network?: Network | undefined
  /** Path of a network file, e.g. `.assay/network.json`. */
  networkPath?: string | undefined
  /** Payer's key; it signs payments and requests, and never leaves this process. Needed where there is no `apiKey`. */
  privateKey?: Hex | undefined
  /** Key under a spending grant, which then pays: nothing is signed for a call, and its limits are the grant's. */
  apiKey?: string | undefined
  /** Most that one call may cost, OPG base units. Default 10 OPG. */
  maxPerCall?: bigint | undefined
  /** `upto` (default) pays what was used; `exact` pays the quote and gets the rest as credit. */
  scheme?: PaymentScheme | undefined
  /** Hold streamed content back until it is verified. Default false. */
  buffer?: boolean | undefined
  /**
   * Encrypt requests to the enclave's attested key, so that the gateway sees sizes only. Default false. An enclave that
   * cannot be trusted is an error, and nothing is sent.
   */
  confidential?: boolean | undefined
  /** Called once per answer, after it was verified and before its end is released. */
  onAnswer?: ((answer: VerifiedAnswer) => void) | undefined
  /** Reads the chain; default the network's RPC. */
  chain?: ChainReader | undefined
}

/** Whether a path answers with a receipt; everything else (models, receipts, health) passes untouched. */
const isPaid = (path: string): boolean => Object.hasOwn(INFERENCE_PATHS, path) || path === '/v1/infer'

/**
 * A drop-in `fetch` for the OpenAI and Anthropic clients. It pays the gateway's 402, signs the request, and verifies
 * the answer: a whole answer before the promise resolves, a stream before its end. Error answers (status ≥ 400) pass
 * through, as they cost nothing and carry no content.
 * @throws SdkError, from the promise or, for a stream, from the body.
 */
export function assayFetch(options: AssayFetchOptions): typeof globalThis.fetch {
  const network = networkOf(options)
  const chain = options.chain ?? chainReaderOf(network)
  const pay = options.apiKey === undefined ? signingPayer(options, network, chain) : undefined
  const gatewayOrigin = new URL(network.gatewayUrl).origin

  return async (input, init) => {
    const request = new Request(input, init)
    const url = new URL(request.url)
    if (request.method !== 'POST' || !isPaid(url.pathname)) return send(request.url, request)
    if (url.origin !== gatewayOrigin) {
      throw new SdkError('This request does not go to the gateway of the network file.', {
        code: 'offer_rejected',
        facts: { requested: url.origin, gateway: gatewayOrigin },
        next: "Set the client's base URL to the gateway's, or load that network's file.",
      })
    }
    const body = await bodyOf(request)
    const headers = new Headers(request.headers)
    // Only identity bytes can be signed (docs/spec.md §1); a compressing middlebox would break the hash.
    headers.set('accept-encoding', 'identity')
    const path = url.pathname + url.search
    if (pay === undefined && options.confidential === true) {
      throw new SdkError('A confidential request is signed by its payer, which an API key cannot do.', {
        code: 'not_confidential',
        next: 'Give a private key instead of the API key, or leave confidential out.',
      })
    }
    const sealing =
      options.confidential === true ? await sealingFor(network, chain, url.pathname, body) : undefined
    if (sealing !== undefined) headers.set(...salt())
    const head = { method: 'POST', headers, body, signal: request.signal, redirect: 'error' } as const
    const sent: HttpRequestBytes = { method: 'POST', path, headers: listedHeaders(headers.entries()), body }
    let paid: Paid
    if (pay === undefined) {
      headers.delete('x-api-key')
      paid = { headers: { authorization: `Bearer ${options.apiKey}` } }
    } else {
      const quoted = await (sealing === undefined
        ? send(request.url, head)
        : send(sealing.url, { ...head, headers: sealing.outer, body: null }))
      if (quoted.status >= 400 && quoted.status !== 402) return quoted
      paid = await pay(quoted, sent, modelIdFor(network, body))
    }
    for (const [name, value] of Object.entries(paid.headers)) headers.set(name, value)
    const answer = await (sealing === undefined
      ? send(request.url, head)
      : sendSealed(sealing, { path, headers, body }, paid.headers, request.signal))
    if (answer.status >= 400) return answer

    const { requestAuth, payer } = paid
    const modelId = modelIdFor(network, body)
    const expected = { request: sent, requestAuth, payer, modelId, committer: network.gateway }
    const verify = async (bytes: Uint8Array, signed: SignedReceipt) => {
      const response = {
        status: answer.status,
        contentType: answer.headers.get('content-type') ?? '',
        body: bytes,
      }
      // Which call of which grant it is only the gateway says; that it is one, the chain does.
      const grant =
        pay === undefined ? (await readReceiptStatus(network, signed.receipt.requestId))?.grant : undefined
      const entry = grant === undefined ? signed : { ...signed, grant }
      const verified = await answerReport({ network, chain, expected, response, signed: entry })
      options.onAnswer?.(verified)
    }
    if (isEventStream(answer) && answer.body !== null) {
      const guarded = sseGuard(answer.body, { verify, buffer: options.buffer ?? false })
      return new Response(guarded, { status: answer.status, headers: answer.headers })
    }
    const bytes = await readBounded(answer)
    await verify(bytes, receiptOf(answer))
    return new Response(bytes, { status: answer.status, headers: answer.headers })
  }
}

/** Where a confidential request goes, to which enclave, and what of it stands in clear. */
type Sealing = { url: string; channel: Channel; outer: Record<string, string> }

async function sealingFor(
  network: Network,
  chain: ChainReader,
  path: string,
  body: Uint8Array,
): Promise<Sealing> {
  const { model, maximum } = await quoteConfidential(network, path, body)
  const channel = await openChannel(network, chain, model)
  return {
    url: new URL(CONFIDENTIAL_PATH, network.gatewayUrl).href,
    channel,
    outer: outerHeaders(channel, maximum),
  }
}

async function sendSealed(
  { url, channel, outer }: Sealing,
  inner: { path: string; headers: Headers; body: Uint8Array },
  paid: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  const { body, contentType, open } = await sealRequest(channel, inner)
  const headers = { ...outer, ...paid, 'content-type': contentType, 'accept-encoding': 'identity' }
  return open(await send(url, { method: 'POST', headers, body, signal, redirect: 'error' }))
}

export function networkOf(options: Pick<AssayFetchOptions, 'network' | 'networkPath'>): Network {
  if (options.network !== undefined) return options.network
  return loadNetwork(options.networkPath ?? '.assay/network.json')
}

/** `fetch`, with a connection failure in our own words. An abort by the caller stays an abort. */
async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    if (init.signal?.aborted === true) throw cause
    throw new SdkError('The gateway does not answer.', {
      code: 'unreachable',
      facts: { url: new URL(url).origin },
      next: 'Start the network with: npm start',
      cause,
    })
  }
}

async function bodyOf(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  if ((request.headers.get('content-encoding') ?? 'identity') !== 'identity') {
    throw new SdkError('An encoded request body cannot be signed for.', {
      code: 'unsupported_body',
      next: 'Send the body without content-encoding.',
    })
  }
  return readBounded(request)
}

function modelIdFor(network: Network, body: Uint8Array): Hex {
  const name = modelNameOf(body)
  const model = network.models.find((entry) => entry.name === name || entry.modelId === name)
  if (model !== undefined) return model.modelId
  throw new SdkError('The network file lists no such model.', {
    code: 'unknown_model',
    facts: { model: name, known: network.models.map((entry) => entry.name).join(', ') },
    next: 'Ask for one of these, or fetch the network file again.',
  })
}

function modelNameOf(body: Uint8Array): string | undefined {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(body))
    const name = (parsed as { model?: unknown } | null)?.model
    return typeof name === 'string' ? name : undefined
  } catch {
    return undefined
  }
}

function isEventStream(response: Response): boolean {
  return (response.headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')
}

function receiptOf(response: Response): SignedReceipt {
  const header = response.headers.get(RECEIPT_HEADER)
  if (header === null) {
    throw new SdkError('The answer carries no receipt, so nothing proves who answered; it is withheld.', {
      code: 'receipt_missing',
      next: 'Do not use this answer. Ask another gateway.',
    })
  }
  try {
    return decodeReceiptHeader(header)
  } catch (cause) {
    throw new SdkError('The receipt of the answer cannot be read; the answer is withheld.', {
      code: 'verification_failed',
      next: 'Do not use this answer. Ask another gateway.',
      cause,
    })
  }
}
