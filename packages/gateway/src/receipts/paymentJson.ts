import { SCHEME } from '@assay/protocol'
import { type ReceiptStatus, SETTLEMENT_SKIPPED } from '@assay/store'

type Payment = NonNullable<ReceiptStatus['payment']>

/** What became of a payment, in the three outcomes that an x402 client must tell apart. */
const OUTCOMES: Record<Payment['state'], 'pending' | 'settled' | 'failed'> = {
  none: 'pending',
  // With a hash as soon as the chain has taken the transaction: unknown is never a reason to pay again.
  submitted: 'pending',
  locked: 'pending',
  settled: 'settled',
  refunded: 'failed',
  failed: 'failed',
}

const SCHEMES = Object.fromEntries(Object.entries(SCHEME).map(([name, id]) => [id, name]))

/** A payment as `GET /v1/receipts/{id}` shows it; amounts in OPG base units. */
export function paymentJson(payment: Payment) {
  const { state, authorised, amount, transactionHash, settleTransactionHash, failure } = payment
  const exact = payment.scheme === SCHEME.exact
  const back = state === 'refunded'
  const inEscrow =
    ['locked', 'settled', 'refunded'].includes(state) || failure?.startsWith(SETTLEMENT_SKIPPED) === true
  // `exact` moves all that was authorised into escrow, the others the price alone.
  const taken = !inEscrow ? 0n : exact ? authorised : amount
  return {
    outcome: OUTCOMES[state],
    state,
    scheme: SCHEMES[payment.scheme] ?? null,
    authorised: authorised.toString(),
    amount: amount.toString(),
    taken: taken.toString(),
    // What of it is the payer's again, to be taken out with `assay wallet withdraw`: all of a refund, the change of `exact`.
    returned: (back ? taken : state === 'settled' ? taken - amount : 0n).toString(),
    transactionHash: transactionHash ?? null,
    settleTransactionHash: back ? null : (settleTransactionHash ?? null),
    refundTransactionHash: back ? (settleTransactionHash ?? null) : null,
    // What is in escrow, or paid out, was refused before at most.
    failure: state === 'locked' || state === 'settled' ? null : (failure ?? null),
  }
}
