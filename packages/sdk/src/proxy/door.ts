import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { DialectError } from '@assay/protocol'

/** Who may come in: programs on this machine that hold the token, and no page of a browser. */
export type Door = {
  /** Port that the proxy listens on, as it stands in `Host`. */
  port: number
  token: string
  /** Origins of pages that may use it none the less, e.g. `http://localhost:3000`. */
  allowedOrigins: readonly string[]
}

const LOCAL_NAMES = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Why a request may not even look in; undefined if it may. A page that a name of its own points at 127.0.0.1 (DNS
 * rebinding) sends that name as its Host; a page of another origin says so in Origin, and browsers let no page lie in
 * either. A program sends neither a foreign Host nor an Origin.
 */
export function turnedAway(headers: IncomingHttpHeaders, door: Door): DialectError | undefined {
  const host = (headers.host ?? '').toLowerCase()
  // Clients leave the scheme's own port out (RFC 9110 §7.2).
  const port = door.port === 80 && !/:80$/.test(host) ? '' : `:${door.port}`
  if (!LOCAL_NAMES.some((name) => host === `${name}${port}`)) {
    return forbidden('bad_host', `This proxy answers under 127.0.0.1:${door.port} only.`)
  }
  const { origin } = headers
  if (origin !== undefined && !door.allowedOrigins.includes(origin)) {
    return forbidden(
      'bad_origin',
      'No page of a browser may use this proxy: assay proxy --allow-origin lets one in.',
    )
  }
  // Requests that a browser makes without an Origin (images, forms by GET) still say where they come from.
  const site = headers['sec-fetch-site']
  if (origin === undefined && site !== undefined && site !== 'none' && site !== 'same-origin') {
    return forbidden('bad_origin', 'No page of a browser may use this proxy.')
  }
  return undefined
}

/** Whether the request carries the token, where OpenAI's clients put a key or where Anthropic's do. */
export function holdsToken(headers: IncomingHttpHeaders, { token }: Door): boolean {
  const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
  const key = headers['x-api-key']
  return [bearer, key].some((given) => typeof given === 'string' && sameText(given.trim(), token))
}

export const NO_TOKEN: DialectError = {
  status: 401,
  message: 'This proxy spends money, so it wants its token as the API key; assay proxy prints it.',
  type: 'invalid_request_error',
  code: 'invalid_token',
}

/** In constant time for texts of one length; what it tells about the length is no secret. */
function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function forbidden(code: string, message: string): DialectError {
  return { status: 403, message, type: 'invalid_request_error', code }
}
