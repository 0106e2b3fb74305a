import { SdkError } from './errors.ts'

/** Codes of errors raised before one byte of a request reached anybody. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

/** How long a gateway may take over what costs it no model's work, such as its quote: then it counts as away, milliseconds. */
export const QUOTE_PATIENCE_MS = 10_000

/**
 * `fetch`, with a connection failure in our own words. An abort by the caller stays an abort.
 * @param patienceMs how long the head of the answer may take, milliseconds; as long as the caller waits by default
 */
export async function send(url: string, init: RequestInit, patienceMs?: number): Promise<Response> {
  try {
    return await (patienceMs === undefined ? fetch(url, init) : fetchWithin(patienceMs, url, init))
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

/** The answer's body may take longer than its head. */
function fetchWithin(milliseconds: number, url: string, init: RequestInit): Promise<Response> {
  return within(milliseconds, init.signal, (signal) => fetch(url, { ...init, signal }))
}

/** Work under a signal that ends with the caller's, or once the work took too long. */
export async function within<Value>(
  milliseconds: number,
  caller: AbortSignal | null | undefined,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const silence = new AbortController()
  const timer = setTimeout(
    () => silence.abort(new Error(`there was no answer within ${milliseconds} ms`)),
    milliseconds,
  )
  const signals = [silence.signal, ...(caller == null ? [] : [caller])]
  try {
    return await work(AbortSignal.any(signals))
  } finally {
    clearTimeout(timer)
  }
}

/** Whether a failed `send` certainly sent nothing, so that what it carried cannot be used. */
export function wasNeverSent(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (NEVER_SENT.has(String((at as { code?: unknown }).code))) return true
  }
  return false
}
