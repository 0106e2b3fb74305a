import { INFERENCE_PATHS } from './intent.ts'

/** An error as a client should read it, before it is worded in a dialect; `code` is stable and may be relied on. */
export type DialectError = {
  status: number
  /** What happened, why, and what to do next. */
  message: string
  type: 'invalid_request_error' | 'payment_required' | 'rate_limit_error' | 'server_error'
  code: string
  /** Member of the body that it is about. */
  param?: string | null | undefined
}

/** Anthropic's error types by status (docs.anthropic.com, "Errors"); what is not listed is an `api_error`. */
const ANTHROPIC_TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'invalid_request_error',
  413: 'request_too_large',
  415: 'invalid_request_error',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  529: 'overloaded_error',
}

/** Whether a path is answered in Anthropic's shapes; all others speak OpenAI's. */
function isAnthropic(path: string): boolean {
  return /^\/v1\/messages(?:[/?]|$)/.test(path)
}

/**
 * The path by which an error is worded. Those that both vendors have (models, files) do not tell whose client asks; but
 * all of Anthropic's say their version.
 */
export function dialectPath(request: {
  url: string
  headers: Readonly<Record<string, string | string[] | undefined>>
}): string {
  const tellsIt = Object.hasOwn(INFERENCE_PATHS, request.url.split('?')[0] ?? '')
  return request.headers['anthropic-version'] === undefined || tellsIt ? request.url : '/v1/messages'
}

/** The body of an error answer, JSON text, in the dialect of the path that was asked. */
export function errorBody(error: DialectError, path: string): string {
  const { status, message, type, code, param = null } = error
  if (!isAnthropic(path)) return JSON.stringify({ error: { message, type, param, code } })
  const anthropicType = ANTHROPIC_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
  // Their client shows `details.error_code`; ours is where all our errors have it, too.
  const details = { error_code: code }
  return JSON.stringify({ type: 'error', error: { type: anthropicType, message, code, param, details } })
}

/** The event that tells of an error inside a stream which has begun, with its blank line. */
export function errorEvent(error: DialectError, path: string): string {
  if (isAnthropic(path)) return `event: error\ndata: ${errorBody(error, path)}\n\n`
  if (INFERENCE_PATHS[path.split('?')[0] ?? ''] === 'responses') {
    const { message, code, param = null } = error
    return `event: error\ndata: ${JSON.stringify({ type: 'error', code, message, param })}\n\n`
  }
  return `data: ${errorBody(error, path)}\n\n`
}
