import type { FaultRecord, PaymentRecord } from '@assay/chain'
import { formatOpg } from '@assay/protocol'
import type { PaymentsAudit } from './auditPayments.ts'
import { date, many } from './words.ts'

type Rows = (readonly [string, string])[]

/** Where the payers' money is, in rows of a table. @param faults proven in the batch */
export function paymentRows(money: PaymentsAudit, faults: readonly FaultRecord[], troubled: boolean): Rows {
  const { paidOut, fromDeposits, payments, of, more } = money
  const rows: Rows = []
  if (paidOut.answers > 0) {
    rows.push([
      'paid out',
      `${formatOpg(paidOut.price)} for ${many(paidOut.answers, 'answer')}${back(paidOut.returned)}`,
    ])
  }
  if (fromDeposits.rows > 0) {
    const missing =
      fromDeposits.unpaid > 0n ? `; ${formatOpg(fromDeposits.unpaid)} more were not in the deposits` : ''
    rows.push(['paid from deposits', `${formatOpg(fromDeposits.price)}${missing}`])
  }
  if (!troubled) return rows
  if (of === 'till') {
    rows.push([
      'payments',
      payments.length === 0
        ? "no payer's money lay in its committer's till when it was committed"
        : "nobody shows its receipts; this lay in its committer's till when it was committed",
    ])
  }
  const refunds = new Set(faults.flatMap((fault) => fault.refunds.map(({ requestId }) => requestId)))
  for (const payment of payments) {
    rows.push(['payment', payment.requestId], ['', paymentWords(payment, refunds.has(payment.requestId))])
  }
  if (more > 0) rows.push(['', `and ${more} more`])
  return rows
}

function paymentWords(payment: PaymentRecord, forFault: boolean): string {
  const { payer, amount } = payment
  switch (payment.state) {
    case 'locked':
      return `${formatOpg(amount)} of ${payer} wait in escrow for a batch that holds; from ${date(payment.refundableAt)} on anybody may send them back: assay wallet refund ${payment.requestId}`
    case 'paid':
      return `${formatOpg(amount)} of ${payer} paid in batch ${payment.batchId}${back(payment.returned)}`
    case 'refunded':
      return `${formatOpg(amount)} went back to ${payer}, ${forFault ? 'for the fault that was proven' : 'because no final batch came in time'}`
  }
}

function back(returned: bigint): string {
  return returned > 0n ? `, ${formatOpg(returned)} that were not due went back` : ''
}
