import { SdkError } from './errors.ts'

/** Codes of errors raised before one byte of a request reached anybody. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

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
async function fetchWithin(milliseconds: number, url: string, init: RequestInit): Promise<Response> {
  const silence = new AbortController()
  const timer = setTimeout(
    () => silence.abort(new Error(`there was no answer within ${milliseconds} ms`)),
    milliseconds,
  )
  const signals = [silence.signal, ...(init.signal == null ? [] : [init.signal])]
  try {
    return await fetch(url, { ...init, signal: AbortSignal.any(signals) })
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
