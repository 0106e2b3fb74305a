import { AssayError } from '@assay/protocol'
import type { CheckedPayment, ExactPayment, UptoAuthorisation } from '@assay/verify'

/** What the collecting call needs, as text for the database; integers as strings. */
export function encodeCollect(payment: CheckedPayment): string {
  return JSON.stringify(payment.scheme === 'exact' ? payment.exact : payment.upto, (_name, value) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

/** Inverse of `encodeCollect` for scheme 1. */
export function decodeExact(text: string): ExactPayment {
  const stored = JSON.parse(text) as Record<keyof ExactPayment, string>
  if (stored.nonce === undefined) throw unreadable()
  return {
    ...stored,
    value: BigInt(stored.value),
    validAfter: BigInt(stored.validAfter),
    validBefore: BigInt(stored.validBefore),
  } as ExactPayment
}

type StoredUpto = {
  payer: string
  permit: { permitted: { token: string; amount: string }; nonce: string; deadline: string }
  witness: { to: string; facilitator: string; validAfter: string }
  signature: string
}

/** Inverse of `encodeCollect` for scheme 2. */
export function decodeUpto(text: string): UptoAuthorisation {
  const stored = JSON.parse(text) as StoredUpto
  if (stored.permit === undefined) throw unreadable()
  const { permit, witness } = stored
  return {
    ...stored,
    permit: {
      permitted: { ...permit.permitted, amount: BigInt(permit.permitted.amount) },
      nonce: BigInt(permit.nonce),
      deadline: BigInt(permit.deadline),
    },
    witness: { ...witness, validAfter: BigInt(witness.validAfter) },
  } as UptoAuthorisation
}

function unreadable(): AssayError {
  return new AssayError('A stored payment is not of the scheme it is stored under.', { code: 'malformed' })
}
