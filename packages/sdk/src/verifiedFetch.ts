import {
  decodeReceiptHeader,
  type GrantCall,
  type HttpRequestBytes,
  listedHeaders,
  NAME_HEADER,
  type Network,
  RECEIPT_HEADER,
  REPLAYED_HEADER,
  REQUEST_ID_HEADER,
  requestSalt,
  SALT_HEADER,
  type SignedReceipt,
  STATUS,
} from '@assay/protocol'
import type { Hex } from 'viem'
import { answerReport } from './answer.ts'
import { type Asked, readAsked } from './asked.ts'
import { type AssayFetchOptions, networkOf } from './assayFetch.ts'
import { type ChainReader, chainReaderOf } from './chainReader.ts'
import { SdkError } from './errors.ts'
import { readBounded } from './limits.ts'
import { isPaidCall } from './paidCall.ts'
import { patience } from './patience.ts'
import { quotedByRegistry } from './quotedByRegistry.ts'
import { readReceiptStatus } from './receiptStatus.ts'
import { elsewhere, inClear, mustBeSealable, mustSign } from './refusals.ts'
import { createRoutes, type Route } from './routes.ts'
import { sealingFor, sendSealed } from './sealing.ts'
import { QUOTE_PATIENCE_MS, send, wasNeverSent } from './send.ts'
import type { Paid } from './signingPayer.ts'
import { sseGuard } from './sseGuard.ts'
import { createStops, type Stops, stopRequest } from './stops.ts'

/** What one call's caller wants to hear of it, in place of what the options say. */
export type CallHooks = Pick<AssayFetchOptions, 'onAnswer' | 'onUnverified'> & {
  /**
   * Called before a payment goes out: from then on, asking again may pay again, unless it ends `unreachable`. With the
   * request's id, which nobody knows yet where a key pays.
   */
  onPaid?: ((requestId: Hex | undefined) => void) | undefined
  /** Called where a stream fails, whether or not its reader comes to see that. */
  onFailed?: ((error: unknown) => void) | undefined
}

export type VerifiedFetch = (
  input: Parameters<typeof globalThis.fetch>[0],
  init?: RequestInit,
  hooks?: CallHooks,
) => Promise<Response>

/** Statuses of a gateway that cannot serve right now, before anything was paid. */
const BUSY = new Set([429, 502, 503, 504])
/** How often a gateway that found no node is sent the same payment again, and the longest it may ask us to wait, ms. */
const RESENDS = 2
const LONGEST_RESEND_WAIT_MS = 5_000
/** What became of one gateway's turn. */
type Turn = { answer: Response } | { next: Response | SdkError }

/** The `fetch` behind `assayFetch`, which every part of this package shares. */
export function createVerifiedFetch(options: AssayFetchOptions): VerifiedFetch {
  mustSign(options)
  const network = networkOf(options)
  const chain = options.chain ?? chainReaderOf(network)
  const routes = createRoutes(options, network, chain)
  const ownOrigin = new URL(network.gatewayUrl).origin
  const stops = createStops()

  return async (input, init, hooks = options) => {
    const request = new Request(input, init)
    const { origin, pathname } = new URL(request.url)
    if (!isPaidCall(request.method, pathname)) {
      if (options.confidential === true && request.body !== null) throw inClear(pathname)
      if (request.method === 'POST') stops.noteCall(pathname)
      // A gateway that is not trusted must not have this machine ask whom it likes.
      return send(request.url, new Request(request, { redirect: 'error' }))
    }
    if (origin !== ownOrigin) throw elsewhere(origin, ownOrigin)
    if (options.confidential === true) mustBeSealable(request)
    const asked = await readAsked(request, network, input)
    let last: Response | SdkError | undefined
    for (const route of routes.inOrder()) {
      if (last instanceof Response) void last.body?.cancel()
      const turn = await takeTurn({ options, hooks, chain, route, asked, stops })
      if ('answer' in turn) return turn.answer
      routes.rest(route)
      last = turn.next
    }
    if (last instanceof Response) return last
    throw last
  }
}

type Call = {
  options: AssayFetchOptions
  hooks: CallHooks
  chain: ChainReader
  route: Route
  asked: Asked
  stops: Stops
}

/**
 * Asks one gateway. Another is tried only where this one was certainly not paid: from the moment a payment may have
 * reached it, whatever happens is this call's outcome, or one answer could be paid for twice.
 */
async function takeTurn(call: Call): Promise<Turn> {
  let prepared: Turn | Prepared
  try {
    prepared = await prepare(call)
  } catch (error) {
    if (error instanceof SdkError && mayBeElsewhere(error)) return { next: error }
    throw error
  }
  if (!('post' in prepared)) return prepared
  const { signal } = call.asked
  if (signal.aborted) {
    // Left while it was signed: what is not sent cannot be taken.
    prepared.paid.reservation?.settle(0n)
    throw signal.reason
  }
  call.hooks.onPaid?.(prepared.paid.requestAuth?.auth.requestId)
  const turn = await deliver(prepared, call.asked)
  return 'next' in turn ? turn : { answer: await receive(call, prepared, turn.answer) }
}

/** Whether a gateway that was not paid could not serve, where another may. */
function mayBeElsewhere({ code, facts }: SdkError): boolean {
  return code === 'unreachable' || (code === 'not_confidential' && BUSY.has(Number(facts.status)))
}

/** A call that is signed and paid for, and not yet sent. */
type Prepared = {
  /** The bytes that were signed for. */
  sent: HttpRequestBytes
  paid: Paid
  post: () => Promise<Response>
  /** Ends the exchange; it follows the caller's signal until a stream begins, which is left as `sseGuard` says. */
  abort: LinkedAbort
}

async function prepare({ options, chain, route, asked }: Call): Promise<Turn | Prepared> {
  const { network, pay } = route
  const { path, pathname, body, modelId, maxPrice, signal } = asked
  const headers = new Headers(asked.headers)
  const url = new URL(path, route.origin).href
  const sealing =
    options.confidential === true ? await sealingFor(network, chain, pathname, body, signal) : undefined
  const name = headers.get(NAME_HEADER)
  const salt = requestSalt({ sealed: sealing !== undefined, apiKey: options.apiKey, name })
  if (salt !== undefined) headers.set(SALT_HEADER, salt)
  const head = { method: 'POST', headers, body, redirect: 'error' } as const
  const sent: HttpRequestBytes = { method: 'POST', path, headers: listedHeaders(headers.entries()), body }
  let paid: Paid
  if (pay === undefined) {
    headers.delete('x-api-key')
    paid = { headers: { authorization: `Bearer ${options.apiKey}` } }
  } else {
    const registry = quotedByRegistry(network, chain, asked)
    // It is awaited behind the quote; until then nobody would hear of its failure.
    registry.catch(() => undefined)
    const quoted = await (sealing === undefined
      ? send(url, { ...head, signal }, QUOTE_PATIENCE_MS)
      : send(sealing.url, { ...head, headers: sealing.outer, body: null, signal }, QUOTE_PATIENCE_MS))
    if (BUSY.has(quoted.status)) return { next: quoted }
    if (quoted.status >= 400 && quoted.status !== 402) return { answer: quoted }
    paid = await pay(quoted, { sent, modelId, maxPrice, registryMaximum: await registry })
  }
  for (const [name, value] of Object.entries(paid.headers)) headers.set(name, value)
  const abort = linkedAbort(signal)
  const post = () =>
    sealing === undefined
      ? send(url, { ...head, ...patience(), signal: abort.signal })
      : sendSealed(sealing, { path, headers, body }, paid.headers, abort.signal)
  return { sent, paid, post, abort }
}

/** Sends what is paid for. A payment that certainly reached nobody costs nothing, and leaves the way to others open. */
async function deliver({ post, paid }: Prepared, asked: Asked): Promise<Turn> {
  for (let sent = 0; ; sent++) {
    let answer: Response
    try {
      answer = await post()
    } catch (error) {
      if (sent === 0 && error instanceof SdkError && wasNeverSent(error)) {
        paid.reservation?.settle(0n)
        return { next: error }
      }
      if (error instanceof SdkError && error.code === 'unreachable')
        throw outcomeUnknown(paid.requestAuth?.auth.requestId, asked, error)
      throw error
    }
    // The gateway found no node and took nothing: the same payment may be sent again, which can never pay twice.
    const wait = Number(answer.headers.get('retry-after') ?? Number.NaN) * 1000
    const again = answer.status === 503 && wait >= 0 && wait <= LONGEST_RESEND_WAIT_MS
    if (!again || sent >= RESENDS) return { answer }
    void answer.body?.cancel()
    await pause(wait, asked.signal)
  }
}

/** Ends early where the caller leaves, who is told so by what is tried next. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((wake) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      wake()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end, { once: true })
  })
}

/** Verifies an answer: a whole one before it is returned, a stream before its end. An error costs and proves nothing. */
async function receive(
  { options, hooks, chain, route, asked, stops }: Call,
  { sent, paid, abort }: Prepared,
  answer: Response,
): Promise<Response> {
  if (answer.status >= 400) return answer
  const { network, pay } = route
  const { payer } = paid
  // Given before, to a request of this name: it is not the one that is paid for now, and its hash says that it is ours.
  const again = asked.headers.has(NAME_HEADER) && answer.headers.get(REPLAYED_HEADER) === 'true'
  const requestAuth = again ? undefined : paid.requestAuth
  const requestId = requestAuth?.auth.requestId ?? requestIdOf(answer)
  const expected = { request: sent, requestAuth, payer, modelId: asked.modelId, committer: network.gateway }
  const verify = async (bytes: Uint8Array, signed: SignedReceipt): Promise<void> => {
    const contentType = answer.headers.get('content-type') ?? ''
    const response = { status: answer.status, contentType, body: bytes }
    // Which call of which grant it is only the gateway says; that it is one, the chain does.
    const grant = pay === undefined ? await grantOf(network, signed) : undefined
    const entry = grant === undefined ? signed : { ...signed, grant }
    const verified = await answerReport({ network, chain, expected, response, signed: entry })
    const { price, status, requestId } = verified.bundle.receipt
    // What was signed for it beside stays set aside: that nothing of it is taken, the gateway alone says.
    if (!again) paid.reservation?.settle(price)
    if (status === STATUS.cancelled && !stops.take(requestId)) throw cutShort(requestId)
    hooks.onAnswer?.(verified)
  }
  if (isEventStream(answer) && answer.body !== null) {
    abort.release()
    const guarded = sseGuard(answer.body, {
      verify,
      broken: (cause) => outcomeUnknown(requestId, asked, cause),
      requestId,
      buffer: options.buffer ?? false,
      signal: asked.signal,
      stop() {
        if (requestId !== undefined) stops.note(requestId)
        return stopRequest(network, requestId)
      },
      onUnverified: hooks.onUnverified,
      onFailed: hooks.onFailed,
    })
    return new Response(guarded, { status: answer.status, headers: answer.headers })
  }
  const bytes = await readBounded(answer, 'verification_failed').catch((cause: unknown) => {
    throw cause instanceof SdkError || asked.signal.aborted ? cause : outcomeUnknown(requestId, asked, cause)
  })
  await verify(bytes, receiptOf(answer))
  return new Response(bytes, { status: answer.status, headers: answer.headers })
}

async function grantOf(network: Network, { receipt }: SignedReceipt): Promise<GrantCall | undefined> {
  try {
    return (await readReceiptStatus(network, receipt.requestId))?.grant
  } catch (cause) {
    throw new SdkError('The grant behind the answer could not be read, so it cannot be verified.', {
      code: 'verification_failed',
      facts: { requestId: receipt.requestId },
      next: `It may be paid for; look at it before asking again: assay verify ${receipt.requestId}`,
      cause,
    })
  }
}

type LinkedAbort = { signal: AbortSignal; release(): void }

/** A signal that follows another until it is released. */
function linkedAbort(source: AbortSignal): LinkedAbort {
  const controller = new AbortController()
  const follow = () => controller.abort(source.reason)
  if (source.aborted) follow()
  source.addEventListener('abort', follow, { once: true })
  return { signal: controller.signal, release: () => source.removeEventListener('abort', follow) }
}

function isEventStream(response: Response): boolean {
  return (response.headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')
}

/** As a gateway names it, which may not put other words into what is told of it. */
function requestIdOf(response: Response): Hex | undefined {
  const id = response.headers.get(REQUEST_ID_HEADER)
  return id !== null && /^0x[0-9a-f]{64}$/.test(id) ? (id as Hex) : undefined
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

/** A gateway knows the id of what it relays, and could have an answer stopped where that suits it. */
function cutShort(requestId: Hex): SdkError {
  return new SdkError('The answer was ended early, and not by who asked; it is withheld.', {
    code: 'verification_failed',
    facts: { requestId },
    next: 'Do not rely on the part that was seen. Ask another gateway.',
  })
}

function outcomeUnknown(requestId: Hex | undefined, { headers }: Asked, cause: unknown): SdkError {
  return new SdkError(
    'The connection broke behind the payment, so it is not known whether an answer was made.',
    {
      code: 'outcome_unknown',
      facts: requestId === undefined ? {} : { requestId },
      next: headers.has(NAME_HEADER)
        ? 'Send it again under the same name: it is not charged twice.'
        : requestId === undefined
          ? 'Look at the calls of the grant before asking again: assay wallet grant show'
          : `See what became of it before asking again, or pay twice: assay verify ${requestId}`,
      cause,
    },
  )
}
