import { clientRequestId } from './clientRequestId.ts'
import { type DialectError, errorBody } from './dialectError.ts'

/** What Node's parser or the framework says of a request that none of our code has seen. */
export type UnreadableFault = {
  code?: string | undefined
  statusCode?: number | undefined
  /** Of the parser: what it met, in fixed words of its own. */
  reason?: string | undefined
}

/** What Node's parser refuses before a request exists (RFC 9112): a bad head, one too long, one too slow. */
const BY_PARSER: Record<string, Pick<DialectError, 'status' | 'code' | 'message'>> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: 'request_timeout',
    message: 'The request was sent too slowly.',
  },
  HPE_HEADER_OVERFLOW: { status: 431, code: 'headers_too_large', message: 'The headers are too large.' },
}

/** What the framework refuses before any route, beyond its status. */
const BY_FRAMEWORK: Record<string, string> = {
  FST_ERR_BAD_URL:
    'The path cannot be decoded: what follows a % in it must be the UTF-8 of a character, in hex.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the path is longer than any name that could stand there.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as its content-length says.',
}

/** What a client is told of bytes that are no request. */
export function notHttp({ code = '', reason }: UnreadableFault): DialectError {
  const known = Object.hasOwn(BY_PARSER, code) ? BY_PARSER[code] : undefined
  const message = `The request is not valid HTTP${reason === undefined ? '' : `: ${reason}`}.`
  return { type: 'invalid_request_error', ...(known ?? { status: 400, code: 'bad_request', message }) }
}

/** What a client is told of a request that the framework did not hand on; undefined where it is not the client's fault. */
export function unreadable(
  { code = '', statusCode = 500 }: UnreadableFault,
  maxBodyBytes: number,
): DialectError | undefined {
  if (statusCode < 400 || statusCode >= 500) return undefined
  const refused = { status: statusCode, type: 'invalid_request_error' as const }
  if (statusCode === 413) {
    return { ...refused, message: `The body is larger than ${maxBodyBytes} bytes.`, code: 'body_too_large' }
  }
  const known = Object.hasOwn(BY_FRAMEWORK, code) ? BY_FRAMEWORK[code] : undefined
  return { ...refused, message: known ?? 'The request could not be read.', code: 'bad_request' }
}

/** What Node keeps of a connection, as far as it decides whether an error may still be told there. */
type Connection = { writable: boolean; _httpMessage?: { headersSent: boolean } | null | undefined }

/**
 * Whether a parser's error can be answered: not on a connection that is gone, and not inside an answer that has begun,
 * whose bytes a receipt covers. What is asked is what Node itself asks where nobody handles the error.
 */
export function isAnswerable({ code }: UnreadableFault, { writable, _httpMessage }: Connection): boolean {
  return code !== 'ECONNRESET' && writable && _httpMessage?.headersSent !== true
}

/** A whole HTTP/1.1 answer, for a connection on which no request was read. */
export function rawRefusal(error: DialectError, id: string): string {
  // Nothing tells which dialect its client speaks.
  const body = errorBody(error, '/')
  const headers = {
    'content-type': 'application/json',
    connection: 'close',
    ...clientRequestId(id),
    'content-length': new TextEncoder().encode(body).length,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  // The words behind the status may be left out, not the space before them (RFC 9112 §4).
  return `HTTP/1.1 ${error.status} \r\n${lines.join('')}\r\n${body}`
}
