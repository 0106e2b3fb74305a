import { fetchBounded } from '@assay/chain'
import { AssayError, formatOpg, type Network } from '@assay/protocol'
import type { Command } from 'commander'
import type { Hex } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { printable, table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { requestIdOf } from './walletMoney.ts'

const MAX_STATUS_BYTES = 256 * 1024

const AMOUNTS = ['authorised', 'amount', 'taken', 'returned'] as const
const TEXTS = [
  ...['outcome', 'state', 'scheme', 'transactionHash', 'settleTransactionHash', 'refundTransactionHash'],
  'failure',
] as const

/** `payment` of `GET /v1/receipts/{id}`, as far as it is printed; amounts in OPG base units. */
type Payment = Record<(typeof AMOUNTS)[number] | (typeof TEXTS)[number], string | null>

/** `assay wallet payment`: what became of one payment, and what of it came back. */
export function registerWalletPayment(
  command: (name: string, description: string) => Command,
  context: CommandContext,
): void {
  command(
    'payment',
    'What became of the payment of one request: taken, paid out, returned. The word of the gateway.',
  )
    .argument('<requestId>', 'as x-assay-request-id and assay chat name it', requestIdOf)
    .action(async (requestId: Hex, options: { network?: string; json?: true }) => {
      const payment = await paymentOf(networkFor(options.network), requestId)
      context.output.out(options.json === true ? toJsonText({ requestId, payment }) : table(rowsOf(payment)))
    })
}

async function paymentOf(network: Network, requestId: Hex): Promise<Payment | null> {
  const url = new URL(`/v1/receipts/${requestId}`, network.gatewayUrl).href
  // The gateway that the user's own file names may be on this machine.
  const bounds = { maxBytes: MAX_STATUS_BYTES, timeoutMs: 10_000, devnet: true }
  const bytes = await fetchBounded(url, bounds).catch((cause: unknown) => {
    const facts = { requestId, gateway: network.gatewayUrl }
    if (cause instanceof AssayError && cause.facts.status === 404) {
      throw new CliError('The gateway knows no such request.', {
        exitCode: EXIT.failed,
        code: 'not_found',
        facts,
        next: 'Check the id; it is printed by assay chat and stands in x-assay-request-id.',
        cause,
      })
    }
    throw new CliError('The gateway does not show this request.', {
      exitCode: EXIT.unreachable,
      code: 'not_shown',
      facts,
      next: 'See whether it is up: assay status',
      cause,
    })
  })
  try {
    return readPayment(JSON.parse(new TextDecoder().decode(bytes)))
  } catch (cause) {
    throw new CliError('What the gateway says of this payment cannot be read.', {
      exitCode: EXIT.failed,
      code: 'not_read',
      facts: { requestId, gateway: network.gatewayUrl },
      next: `See what the chain has of it: assay verify ${requestId}`,
      cause,
    })
  }
}

/** @throws where it is none */
function readPayment(status: unknown): Payment | null {
  const { payment } = status as { payment: Record<string, unknown> | null }
  if (payment === null) return null
  if (typeof payment !== 'object') throw new TypeError('it is no object')
  const textOf = (name: keyof Payment): string | null => {
    const text = payment[name] ?? null
    if (text !== null && typeof text !== 'string') throw new TypeError(`${name} is no text`)
    return text
  }
  const amountOf = (name: keyof Payment): string | null => {
    const text = textOf(name)
    return text === null ? null : BigInt(text).toString()
  }
  const known = [
    ...TEXTS.map((name) => [name, textOf(name)]),
    ...AMOUNTS.map((name) => [name, amountOf(name)]),
  ]
  return { ...payment, ...(Object.fromEntries(known) as Payment) }
}

function rowsOf(payment: Payment | null): (readonly [string, string])[] {
  if (payment === null) return [['outcome', 'nothing to pay: no answer that costs anything came of it (yet)']]
  const money = (text: string | null): string => formatOpg(BigInt(text ?? '0'))
  const { scheme, transactionHash, settleTransactionHash, refundTransactionHash, failure } = payment
  const rows: [string, string | null][] = [
    ['outcome', `${payment.outcome} (${payment.state})`],
    ['scheme', scheme],
    ['authorised', money(payment.authorised)],
    ['price', money(payment.amount)],
    ['taken', money(payment.taken)],
    ['returned', money(payment.returned)],
    ['collected in', transactionHash],
    ['paid out in', settleTransactionHash],
    ['refunded in', refundTransactionHash],
    ['failure', failure],
  ]
  return rows.flatMap(([name, text]) => (text === null ? [] : [[name, printable(text)] as const]))
}
