import { type Bundle, foldSiblings, formatOpg, leafNode } from '@assay/protocol'
import { type ChainView, PAYMENT_STATE } from '../chainView.ts'
import { failed, type Outcome, passed, type Step, same, skipped, step } from '../step.ts'

/** Escrow, or the deposit behind a grant, paid exactly this price for this payer. */
export function paymentSettled(bundle: Bundle, view: ChainView): Promise<Step> {
  return step('paymentSettled', () => {
    const { receipt } = bundle
    if (bundle.grant !== undefined) return rowSettled(bundle, view)
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

/** Deposits pay by the row: it is the row's sum that must have been taken, the receipt's price among it. */
function rowSettled(bundle: Bundle, { grant }: ChainView): Outcome {
  const { receipt, inclusion } = bundle
  if (receipt.price === 0n) return passed('The call cost nothing, and nothing was taken.')
  if (inclusion === undefined || grant === null || grant.settledRows === null) {
    return skipped('payment_unseen', 'Without an inclusion proof no settled row can hold the call.')
  }
  const { sum, count } = foldSiblings(leafNode(bundle), inclusion.leafSiblings)
  const row = grant.settledRows.find(
    ({ node, modelId, price, unpaid }) =>
      same(node, receipt.node) && same(modelId, receipt.modelId) && price + unpaid === sum,
  )
  if (row === undefined) return skipped('payment_pending', 'The row of the call is not settled yet.')
  if (row.unpaid > 0n) {
    return failed('deposit_short', `The deposit lacked ${formatOpg(row.unpaid)} of the ${formatOpg(sum)}.`)
  }
  const among = count === 1n ? '' : ` among the ${formatOpg(sum)} of ${count} calls`
  return passed(`The deposit paid ${formatOpg(receipt.price)}${among}.`)
}
