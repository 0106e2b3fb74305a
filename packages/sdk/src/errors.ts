import type { Report } from '@assay/verify'

/** Stable codes of what can go wrong between a caller and an answer. */
export type SdkErrorCode =
  | 'unreachable' // gateway, node or chain did not answer
  | 'gateway_error' // the gateway or node answered with an error
  | 'payment_required' // the payment was asked for again after it was made: balance, allowance or a refusal
  | 'offer_rejected' // no payment offer that this client accepts: wrong token, chain or till
  | 'over_limit' // the quote is above `maxPerCall`
  | 'unknown_model' // the network file lists no such model
  | 'unsupported_body' // the request's body cannot be hashed: encoded or too large
  | 'receipt_missing' // an answer came without the node's receipt
  | 'verification_failed' // the answer or its receipt is not what was asked for, or not what was signed
  | 'not_confidential' // no enclave that can be trusted with an encrypted request: nothing was sent
  | 'wait_timeout' // the receipt did not reach the awaited state in time

export type SdkErrorParameters = {
  code: SdkErrorCode
  facts?: Record<string, unknown> | undefined
  next?: string | undefined
  /** The checklist, where one was made. */
  report?: Report | undefined
  cause?: unknown
}

/** What happened, the facts, what to do next. */
export class SdkError extends Error {
  override readonly name = 'AssaySdkError'
  readonly code: SdkErrorCode
  readonly shortMessage: string
  readonly facts: Record<string, unknown>
  readonly next: string | undefined
  readonly report: Report | undefined

  constructor(shortMessage: string, parameters: SdkErrorParameters) {
    const facts = parameters.facts ?? {}
    const lines = [shortMessage]
    for (const [key, value] of Object.entries(facts)) lines.push(`  ${key}: ${String(value)}`)
    if (parameters.next !== undefined) lines.push(`Next: ${parameters.next}`)
    super(lines.join('\n'), { cause: parameters.cause })
    this.code = parameters.code
    this.shortMessage = shortMessage
    this.facts = facts
    this.next = parameters.next
    this.report = parameters.report
  }
}
