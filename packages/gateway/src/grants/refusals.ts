import { formatOpg } from '@assay/protocol'
import type { ReservationRefusal } from '@assay/store'
import type { GrantRefusal, GrantRefusalCode } from '@assay/verify'
import type { DialectError } from '../http/dialectError.ts'

/** How a client hears that its grant does not pay: 402 where only the payer can help, else what the request may change. */
const WORDING: Record<GrantRefusalCode, Pick<DialectError, 'status' | 'type' | 'param'> & { next: string }> =
  {
    grant_not_open: {
      status: 402,
      type: 'payment_required',
      next: 'Its payer opens it with: assay wallet grant create',
    },
    grant_revoked: { status: 402, type: 'payment_required', next: 'Only a new grant can pay.' },
    grant_expired: { status: 402, type: 'payment_required', next: 'Only a new grant can pay.' },
    grant_model: {
      status: 403,
      type: 'invalid_request_error',
      param: 'model',
      next: 'Ask for one that it names.',
    },
    grant_node: { status: 503, type: 'server_error', next: 'Try again when one of its nodes is up.' },
    grant_call_limit: {
      status: 400,
      type: 'invalid_request_error',
      param: 'max_tokens',
      next: 'Ask for fewer tokens (max_tokens), or send less.',
    },
  }

export function refusedByGrant({ code, reason }: GrantRefusal): DialectError {
  const { next, ...rest } = WORDING[code]
  return { ...rest, code, message: `${reason} ${next}` }
}

export const UNKNOWN_KEY: DialectError = {
  status: 401,
  type: 'invalid_request_error',
  code: 'invalid_api_key',
  message: 'This gateway knows no such API key. Make one with: assay wallet grant create',
}
export const REVOKED_KEY: DialectError = {
  status: 401,
  type: 'invalid_request_error',
  code: 'api_key_revoked',
  message: 'This API key was revoked. Make another with: assay wallet grant key',
}

/** Why nothing could be set aside for a call of this price. */
export function refusedReservation(
  { why, left, retryAfter }: ReservationRefusal,
  maximum: bigint,
): DialectError {
  const call = `This call may cost ${formatOpg(maximum)}`
  const soon = { headers: { 'retry-after': '1' } }
  switch (why) {
    case 'revoked':
      return REVOKED_KEY
    case 'rate':
      return {
        status: 429,
        type: 'rate_limit_error',
        code: 'grant_rate_limited',
        message: `${call}; this hour has ${formatOpg(left)} left under the grant. Try again in ${retryAfter} s.`,
        headers: { 'retry-after': String(Math.max(1, retryAfter)) },
      }
    case 'busy':
    case 'rate_busy':
      return {
        status: 429,
        type: 'rate_limit_error',
        code: 'grant_busy',
        message: `${call}; beside the calls under way the grant has ${formatOpg(left)} left. Try again in a second.`,
        ...soon,
      }
    default:
      return {
        status: 402,
        type: 'payment_required',
        code: 'grant_exhausted',
        message: `${call}; the grant has ${formatOpg(left)} left. Pay more in with: assay wallet grant fund`,
      }
  }
}
