import { formatOpg } from '@assay/protocol'
import { openAmountOf } from '@assay/store'
import type { CheckedPayment } from '@assay/verify'
import type { Context } from '../context.ts'

/**
 * Why a payer's money does not reach over all gateways of one database, in words; undefined where it does. The claim of
 * this payment is durable before the others are counted, so of two gateways that count on the same money at once, the
 * one that looks last sees both: a balance never backs more than it holds.
 */
export async function shortfallOf(
  { database, funds }: Pick<Context, 'database' | 'funds'>,
  payment: CheckedPayment,
): Promise<string | undefined> {
  // One process alone keeps count in memory, before it claims.
  if (database.engine === 'pglite') return undefined
  const [open, held] = await Promise.all([
    openAmountOf(database, payment.payer.toLowerCase()),
    funds.read(payment.payer),
  ])
  const spendable = payment.scheme === 'upto' && held.allowance < held.balance ? held.allowance : held.balance
  if (open <= spendable) return undefined
  return `The payer can spend ${formatOpg(spendable)}; this and its open requests, here and at other gateways, may take ${formatOpg(open)}.`
}
