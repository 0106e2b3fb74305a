import { formatOpg, type Receipt } from '@assay/protocol'
import { type ChainView, PAYMENT_STATE } from '../chainView.ts'
import { failed, passed, type Step, same, skipped, step } from '../step.ts'

/** The escrow took exactly this price from this payer. */
export function paymentSettled(receipt: Receipt, view: ChainView): Promise<Step> {
  return step('paymentSettled', () => {
    const { payment } = view
    if (payment === null || payment.state === PAYMENT_STATE.none) {
      return receipt.price === 0n
        ? passed('The call cost nothing, and nothing was taken.')
        : skipped('payment_unseen', 'The escrow has not collected the payment yet.')
    }
    if (!same(payment.payer, receipt.payer) || !same(payment.gateway, receipt.committer)) {
      return failed('payment_differs', `The payment is from ${payment.payer} through ${payment.gateway}.`)
    }
    switch (payment.state) {
      case PAYMENT_STATE.locked:
        return skipped(
          'payment_pending',
          `${formatOpg(payment.amount)} is locked until the batch is settled.`,
        )
      case PAYMENT_STATE.refunded:
        return failed('payment_refunded', 'The payment was refunded.')
      default:
        return payment.paid === receipt.price
          ? passed(`Paid ${formatOpg(payment.paid)}.`)
          : failed(
              'payment_differs',
              `Paid was ${formatOpg(payment.paid)}, the receipt says ${formatOpg(receipt.price)}.`,
            )
    }
  })
}
