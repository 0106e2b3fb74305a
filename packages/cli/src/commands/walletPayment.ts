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

/** What `GET /v1/receipts/{id}` says of a request and of the money for it. */
type Told = {
  state: string
  /** Whether the node signed for an answer. */
  answered: boolean
  payment: Payment | null
}

/** `payment` of `GET /v1/receipts/{id}`, as far as it is printed; amounts in OPG base units. */
type Payment = Record<(typeof AMOUNTS)[number] | (typeof TEXTS)[number], string | null>

/** `assay wallet payment`: what became of one payment, and what of it came back. */
export function registerWalletPayment(
  command: (name: string, description: string) => Command,
  context: CommandContext,
): void {
  command(
    'payment',
    'What became of one request and of its payment: taken, paid out, returned. The word of the gateway.',
  )
    .argument('<requestId>', 'as x-assay-request-id and assay chat name it', requestIdOf)
    .action(async (requestId: Hex, options: { network?: string; json?: true }) => {
      const told = await askGateway(networkFor(options.network), requestId)
      const { state, payment } = told
      context.output.out(
        options.json === true ? toJsonText({ requestId, state, payment }) : table(rowsOf(told)),
      )
    })
}

async function askGateway(network: Network, requestId: Hex): Promise<Told> {
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
        next: `Ask the chain as well, by which you know whether to make it again: assay verify ${requestId}`,
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
    return readTold(JSON.parse(new TextDecoder().decode(bytes)))
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
function readTold(status: unknown): Told {
  const { state, receipt, payment } = status as Record<string, unknown>
  if (typeof state !== 'string') throw new TypeError('it has no state')
  const answered = receipt !== null && receipt !== undefined
  return { state, answered, payment: readPayment(payment as Record<string, unknown> | null) }
}

/** @throws where it is none */
function readPayment(payment: Record<string, unknown> | null): Payment | null {
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

/** A request that nothing is paid for: only without a receipt and `pending` may that still change. */
function withoutPayment({ state, answered }: Told): string {
  if (state === 'failed') return 'failed: nothing was taken for it, nor will be; it may be asked again'
  if (answered) return 'nothing to pay: its answer costs nothing'
  return 'nothing to pay yet: it is not decided whether an answer came of it; do not ask again before that is'
}

function rowsOf(told: Told): (readonly [string, string])[] {
  const { payment } = told
  if (payment === null) {
    return [
      ['outcome', withoutPayment(told)],
      ['request', printable(told.state)],
    ]
  }
  const money = (text: string | null): string => formatOpg(BigInt(text ?? '0'))
  const { scheme, transactionHash, settleTransactionHash, refundTransactionHash, failure } = payment
  const rows: [string, string | null][] = [
    ['outcome', `${payment.outcome} (${payment.state})`],
    ['request', told.state],
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
