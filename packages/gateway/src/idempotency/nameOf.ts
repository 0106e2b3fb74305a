import type { IncomingHttpHeaders } from 'node:http'
import { NAME_HEADER } from '@assay/protocol'
import { extractPaymentIdentifier, isValidPaymentId } from '@x402/extensions/payment-identifier'
import { RefusedError } from '../http/dialectError.ts'

/**
 * A client's own name for its request: the id of the x402 extension `payment-identifier` in its payment, or the header
 * `Idempotency-Key`. Both are 16 to 128 letters, digits, hyphens and underscores.
 * @param payment value of PAYMENT-SIGNATURE, which was found good
 * @throws RefusedError 400 `invalid_idempotency_key`
 */
export function nameOf(headers: IncomingHttpHeaders, payment: string | undefined): string | undefined {
  const inPayment = payment === undefined ? undefined : identifierIn(payment)
  const inHeader = headers[NAME_HEADER]
  const name = inPayment ?? (Array.isArray(inHeader) ? inHeader.join() : inHeader)
  if (name === undefined || isValidPaymentId(name)) return name
  throw new RefusedError({
    status: 400,
    type: 'invalid_request_error',
    code: 'invalid_idempotency_key',
    message:
      'An idempotency key or payment identifier has 16 to 128 characters: letters, digits, hyphens and underscores.',
  })
}

function identifierIn(payment: string): string | undefined {
  try {
    return extractPaymentIdentifier(JSON.parse(Buffer.from(payment, 'base64').toString()), false) ?? undefined
  } catch {
    return undefined
  }
}
