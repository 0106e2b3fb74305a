import { rootCertificates } from 'node:tls'
import { Agent, type Dispatcher, request } from 'undici'
import { EngineError } from '../engine.ts'
import { awaitsKey, engineClassOf, headersFor, secretOf, type Target } from './providers.ts'

/** Longest wait for a connection, ms. */
const CONNECT_MS = 10_000
/**
 * Longest wait for the first byte and between two pieces, ms. Models that think say nothing for minutes; the vendors'
 * own clients wait as long.
 */
const SILENCE_MS = 600_000
/** How long a target that failed is asked only when no other is left, ms. */
const REST_MS = 30_000
const MAX_ERROR_BYTES = 64 * 1024
const MAX_BODY_BYTES = 32 * 1024 * 1024

/**
 * How a provider proves that it is itself: by the roots that Node brings along and the enclave's measurement covers,
 * whatever NODE_EXTRA_CA_CERTS or NODE_TLS_REJECT_UNAUTHORIZED the host sets. A receipt of class 1 claims no less.
 */
const PROVEN = { ca: [...rootCertificates], rejectUnauthorized: true }
const isProvider = ({ provider }: Target): boolean => engineClassOf(provider) === 1

/** An answer with status 200. */
export type UpstreamAnswer = { target: Target; body: AsyncIterable<Uint8Array> }

export type Ask = {
  /** After the base URL, e.g. `/chat/completions`. */
  path: string
  /** The body for a target, whose name of the model it holds. */
  body: (target: Target) => string
  headers?: Record<string, string> | undefined
  signal: AbortSignal
}

export type Exchange = {
  /**
   * Asks the targets in turn until one has answered to the end. The next is asked only while nothing has come out of
   * the one before; afterwards a failure is a failure.
   * @param consume reads an answer; calls `begun` before the first thing leaves this engine.
   * @throws EngineError in words for the client
   */
  run: <T>(ask: Ask, consume: (answer: UpstreamAnswer, begun: () => void) => Promise<T>) => Promise<T>
  close: () => Promise<void>
}

/** @param dispatcher another way to the network, for tests */
export function createExchange(targets: readonly Target[], dispatcher?: Dispatcher): Exchange {
  const agent =
    dispatcher ??
    new Agent({
      connect: { timeout: CONNECT_MS, ...(targets.every(isProvider) ? PROVEN : {}) },
    })
  const restUntil = new Map<Target, number>()
  /** The configured order of those that have their key, with those that failed a moment ago behind the others. */
  const inOrder = (): Target[] => {
    const now = Date.now()
    const isResting = (target: Target) => (restUntil.get(target) ?? 0) > now
    const able = targets.filter((target) => !awaitsKey(target))
    return [...able.filter((target) => !isResting(target)), ...able.filter(isResting)]
  }

  async function open(target: Target, ask: Ask): Promise<UpstreamAnswer> {
    const answer = await request(`${target.baseUrl}${ask.path}`, {
      method: 'POST',
      headers: headersFor(target, ask.headers ?? {}),
      body: ask.body(target),
      signal: ask.signal,
      dispatcher: agent,
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
    })
    if (answer.statusCode === 200) return { target, body: answer.body }
    const text = await readText(answer.body, MAX_ERROR_BYTES).catch(() => '')
    throw refusal(target, answer.statusCode, text, single(answer.headers['retry-after']))
  }

  return {
    async run(ask, consume) {
      let last: unknown
      for (const target of inOrder()) {
        let begun = false
        try {
          const answer = await open(target, ask)
          return await consume(answer, () => {
            begun = true
          })
        } catch (error) {
          if (ask.signal.aborted) throw error
          last = error
          if (begun || (error instanceof EngineError && error.status < 500 && error.status !== 429)) break
          restUntil.set(target, Date.now() + REST_MS)
        }
      }
      throw last instanceof EngineError ? last : broken()
    },
    close: () => (dispatcher === undefined ? agent.close() : Promise.resolve()),
  }
}

/**
 * How providers begin to say, with status 400, what is wrong with the operator's key or account: Gemini and xAI of a
 * key, Gemini of where the node stands, Anthropic of money that is spent, a limit of the account's own, an account
 * that is closed. Only how they begin: further on a client's own words may be quoted.
 */
const ABOUT_THE_OPERATOR = [
  /^(?:incorrect |invalid )?api key\b/i,
  /^user location is not supported\b/i,
  /^your credit balance is too low\b/i,
  /^you have reached your specified api usage limits\b/i,
  /^this organization has been disabled\b/i,
]

/** What broke is the operator's to know: addresses and reasons of connections stay here. */
function broken(): EngineError {
  return new EngineError('The upstream of this model could not be reached, or broke off its answer.', {
    status: 502,
    code: 'upstream_failed',
  })
}

/** An upstream's refusal in words for the client. */
function refusal(target: Target, status: number, text: string, retryAfter: string | undefined): EngineError {
  if (status === 429) {
    const seconds = Number(retryAfter)
    return new EngineError('The upstream of this model is busy; try again later.', {
      status: 429,
      code: 'upstream_busy',
      retryAfter: Number.isFinite(seconds) && seconds > 0 ? Math.min(Math.ceil(seconds), 3600) : 5,
    })
  }
  const { message, param } = wordsOf(text)
  const secret = secretOf(target)
  const isAboutOperator =
    [401, 402, 403].includes(status) ||
    (status === 400 && ABOUT_THE_OPERATOR.some((beginning) => beginning.test(message))) ||
    (secret !== undefined && `${message}\n${param}`.includes(secret))
  // What they say of keys and accounts is about the operator's, and may quote a part of the key.
  if (isAboutOperator && status < 500) {
    return new EngineError('The upstream of this model does not take the credentials of this node.', {
      status: 502,
      code: 'upstream_credentials',
    })
  }
  if (status >= 400 && status < 500) {
    return new EngineError(`The upstream of this model refused the request: ${message.slice(0, 500)}`, {
      status: status === 404 ? 502 : status,
      code: 'upstream_refused',
      param: param?.slice(0, 128) ?? null,
    })
  }
  return broken()
}

/** Message and member, whole, of an error in either dialect; xAI's error is its text, and older servers have no `error` around it. */
function wordsOf(text: string): { message: string; param: string | null } {
  try {
    const parsed: unknown = JSON.parse(text)
    const body = (Array.isArray(parsed) ? parsed[0] : parsed) as { error?: unknown }
    const error = body.error ?? body
    const { message, param } = (typeof error === 'string' ? { message: error } : error) as {
      message?: unknown
      param?: unknown
    }
    return {
      message: typeof message === 'string' ? message : NO_REASON,
      param: typeof param === 'string' ? param : null,
    }
  } catch {
    return { message: NO_REASON, param: null }
  }
}

const NO_REASON = 'it gave no reason.'

/** A body as text. @throws RangeError when it is longer than the bound */
export async function readText(body: AsyncIterable<Uint8Array>, maxBytes = MAX_BODY_BYTES): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) throw new RangeError('the answer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
