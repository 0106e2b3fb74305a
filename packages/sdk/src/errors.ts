import { type Bundle, type ErrorParameters, ExplainedError, formatOpg } from '@assay/protocol'
import type { Report } from '@assay/verify'

/** Stable codes of what can go wrong between a caller and an answer. */
export type SdkErrorCode =
  | 'unreachable' // gateway, node or chain did not answer
  | 'gateway_error' // the gateway or node answered with an error
  | 'payment_required' // the payment was asked for again after it was made: balance, allowance or a refusal
  | 'offer_rejected' // no payment offer that this client accepts: wrong token, chain or till
  | 'over_limit' // the quote is above `maxPerCall`, or above what is left of the day's limit
  | 'unknown_model' // the network file lists no such model
  | 'unsupported_body' // the request's body cannot be hashed: encoded or too large
  | 'outcome_unknown' // the connection broke behind the payment: whether an answer was made, its receipt tells
  | 'receipt_missing' // an answer came without the node's receipt
  | 'cancelled' // the caller left the stream, and its end could not be fetched to be verified
  | 'verification_failed' // the answer or its receipt is not what was asked for, or not what was signed
  | 'not_confidential' // no enclave that can be trusted with an encrypted request: nothing was sent
  | 'bad_input' // what a call or a tool was given cannot be used: nothing was sent
  | 'grant_not_open' // the chain never saw the grant opened: nothing was sent
  | 'grant_revoked' // the grant was revoked: nothing was sent
  | 'grant_expired' // the grant has ended by itself: nothing was sent
  | 'not_due' // what is left of a grant cannot be taken back yet: nothing was sent
  | 'nothing_left' // nothing is left of a grant's deposit: nothing was sent
  | 'wait_timeout' // the receipt did not reach the awaited state in time

export type SdkErrorParameters = ErrorParameters<SdkErrorCode> & {
  /** The checklist, where one was made. */
  report?: Report | undefined
}

/** What went wrong between a caller and an answer. */
export class SdkError extends ExplainedError<SdkErrorCode> {
  override readonly name = 'AssaySdkError'
  readonly report: Report | undefined
  /** The answer, paid for and verified, where only the wait behind it failed: what the call returns beside its proof. */
  answer: { output: unknown; bundle: Bundle } | undefined

  constructor(shortMessage: string, parameters: SdkErrorParameters) {
    super(shortMessage, parameters)
    this.report = parameters.report
  }
}

/** Facts as people read them: what is a bigint among them is an amount, in base units for programs and in OPG here. */
export function factsInWords({ facts }: SdkError): Record<string, unknown> {
  const inWords = (value: unknown) => (typeof value === 'bigint' ? formatOpg(value) : value)
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, inWords(value)]))
}
