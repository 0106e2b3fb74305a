import type { DialectError } from '@assay/protocol'
import { factsInWords, SdkError, type SdkErrorCode } from './errors.ts'

const STATUS: Partial<Record<SdkErrorCode, number>> = {
  unreachable: 503,
  over_limit: 402,
  payment_required: 402,
  offer_rejected: 502,
  unknown_model: 404,
  bad_input: 400,
}

/** What went wrong, as the caller's dialect words it. The status of what is not listed: the answer was not good. */
export function asDialectError(error: unknown): DialectError {
  if (!(error instanceof SdkError)) {
    const message = 'The proxy failed on this request.'
    return { status: 500, message, type: 'server_error', code: 'internal_error' }
  }
  const { code, shortMessage, facts, next } = error
  const status = refusalStatus(code, facts) ?? STATUS[code] ?? 502
  const told = Object.entries(factsInWords(error)).map(([name, value]) => `${name}: ${String(value)}`)
  const detail = told.length === 0 ? '' : ` (${told.join(', ')})`
  return {
    status,
    message: `${shortMessage.replace(/\.$/, '')}${detail}.${next === undefined ? '' : ` ${next}`}`,
    type: status === 402 ? 'payment_required' : status < 500 ? 'invalid_request_error' : 'server_error',
    code,
    param: code === 'unknown_model' ? 'model' : null,
  }
}

/** Of what was refused for what it is, and not for whom it would have reached; undefined of all else. */
function refusalStatus(code: SdkErrorCode, facts: SdkError['facts']): number | undefined {
  if (code === 'unsupported_body') return bodyStatus(facts)
  // A path or a header that cannot be encrypted; that no enclave is to be had is not the caller's mistake.
  if (code === 'not_confidential' && ('path' in facts || 'header' in facts)) return 400
  return undefined
}

/** RFC 9110 §15.5: too large, encoded, or not to be understood. */
function bodyStatus(facts: SdkError['facts']): number {
  if ('maxBytes' in facts) return 413
  return 'contentEncoding' in facts ? 415 : 400
}
