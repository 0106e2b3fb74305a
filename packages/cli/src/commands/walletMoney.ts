import { createSender, publicClientOf, readRefundableAt } from '@assay/chain'
import {
  dataChallengeAbi,
  faultManagerAbi,
  formatOpg,
  inferenceEscrowAbi,
  type Network,
  revenueSplitterAbi,
} from '@assay/protocol'
import { PAYMENT_STATE } from '@assay/verify'
import { type Command, InvalidArgumentError } from 'commander'
import { type Abi, type Address, type Hex, isHex, type PublicClient, size } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { type Tally, tallied } from '../tally.ts'
import { walletKey } from '../wallet.ts'

type MoneyOptions = { network?: string; json?: true }

/** A contract that owes the wallet something, and the call that pays it out. */
type Credit = { from: string; amount: bigint; call: { address: Address; abi: Abi; functionName: string } }

/** Name of what escrow owes. */
export const REFUNDS = 'refunds and change'

/** `assay wallet refund` and `assay wallet withdraw`: getting money back, and getting it out. */
export function registerWalletMoney(
  command: (name: string, description: string) => Command,
  context: CommandContext,
): void {
  command(
    'withdraw',
    'Take out all that the contracts owe this account: refunds, shares of answers (publisher, node, treasury), ' +
      'bounties and half bonds. What a stake earns: assay stake claim.',
  ).action(async (options: MoneyOptions) => {
    const network = networkFor(options.network)
    const done = await tallied(context.output, options.json, (tally) => withdrawAll(network, tally))
    if (options.json === true) {
      context.output.out(toJsonText({ withdrawn: done, unit: 'OPG base units (10^-18 OPG)' }))
    }
  })

  command(
    'refund',
    'Take back a payment whose answer found no final batch in time. Anyone may, for the payer.',
  )
    .argument('<requestId>', 'of the payment, as x-assay-request-id and assay chat name it', requestIdOf)
    .action(async (requestId: Hex, options: MoneyOptions) => {
      const network = networkFor(options.network)
      const refunded = await refund(network, requestId)
      if (options.json === true) context.output.out(toJsonText({ requestId, ...refunded }))
      else {
        context.output.out(
          `${formatOpg(refunded.amount)} are credited to ${refunded.payer}.\nTake them out with: assay wallet withdraw\n`,
        )
      }
    })
}

/** What every contract owes an account, OPG base units; those that owe nothing too. */
export async function readCredits(
  client: PublicClient,
  network: Network,
  account: Address,
): Promise<readonly Credit[]> {
  const { InferenceEscrow, RevenueSplitter, DataChallenge, FaultManager } = network.contracts
  const escrow = { address: InferenceEscrow, abi: inferenceEscrowAbi } as const
  const splitter = { address: RevenueSplitter, abi: revenueSplitterAbi } as const
  const challenges = { address: DataChallenge, abi: dataChallengeAbi } as const
  const faults = { address: FaultManager, abi: faultManagerAbi } as const
  const args = [account] as const
  const [refunds, revenue, bonds, bounties] = await Promise.all([
    client.readContract({ ...escrow, functionName: 'credit', args }),
    client.readContract({ ...splitter, functionName: 'balanceOf', args }),
    client.readContract({ ...challenges, functionName: 'credit', args }),
    client.readContract({ ...faults, functionName: 'credit', args }),
  ])
  return [
    { from: REFUNDS, amount: refunds, call: { ...escrow, functionName: 'withdrawCredit' } },
    { from: 'shares of answers', amount: revenue, call: { ...splitter, functionName: 'withdraw' } },
    { from: 'data challenges', amount: bonds, call: { ...challenges, functionName: 'withdraw' } },
    { from: 'fault proceeds', amount: bounties, call: { ...faults, functionName: 'withdraw' } },
  ]
}

async function withdrawAll(network: Network, tally: Tally) {
  const privateKey = walletKey(network)
  const { address } = privateKeyToAccount(privateKey)
  const credits = await readCredits(publicClientOf(network), network, address)
  const owed = credits.filter(({ amount }) => amount > 0n)
  if (owed.length === 0) {
    throw new CliError('No contract owes this account anything.', {
      exitCode: EXIT.failed,
      code: 'nothing_to_withdraw',
      facts: { wallet: address },
      next: 'What a stake earns is collected with: assay stake claim',
    })
  }
  const sender = createSender({ network, privateKey })
  const done: { from: string; amount: bigint; transactionHash: Hex }[] = []
  const nameOf = ({ from, amount }: Credit) => `${from}: ${formatOpg(amount)}`
  tally.plan(owed.map(nameOf))
  for (const credit of owed) {
    const { transactionHash } = await tally.send(nameOf(credit), () => sender.send(credit.call))
    done.push({ from: credit.from, amount: credit.amount, transactionHash })
  }
  return done
}

async function refund(network: Network, requestId: Hex) {
  const client = publicClientOf(network)
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const [payer, gateway, amount, , lockedAt, state] = await client.readContract({
    ...escrow,
    functionName: 'payment',
    args: [requestId],
  })
  const refuse = (code: string, message: string, next?: string) =>
    new CliError(message, { exitCode: EXIT.failed, code, facts: { requestId }, next })
  if (state === PAYMENT_STATE.none) {
    throw refuse('never_paid', 'Escrow never saw this payment: nothing was taken.')
  }
  if (state === PAYMENT_STATE.paid) {
    throw refuse('paid', 'The answer is final, and was paid for.', `assay verify ${requestId}`)
  }
  if (state === PAYMENT_STATE.refunded) {
    throw refuse('refunded', 'It is refunded already.', 'Its payer takes it out with: assay wallet withdraw')
  }
  const dueAt = await readRefundableAt(client, network, lockedAt)
  const { timestamp } = await client.getBlock()
  if (timestamp < dueAt) {
    throw new CliError('It is too early: the answer may still become final, and be paid for.', {
      exitCode: EXIT.failed,
      code: 'not_due',
      facts: { requestId, gateway, due: new Date(Number(dueAt) * 1000).toISOString() },
      next: 'Come back then; a pause of the network puts it off by its own length.',
    })
  }
  const sender = createSender({ network, privateKey: walletKey(network) })
  const { transactionHash } = await sender.send({
    ...escrow,
    functionName: 'refundTimeout',
    args: [[requestId]],
  })
  return { payer, amount, transactionHash }
}

export function requestIdOf(text: string): Hex {
  if (!isHex(text) || size(text) !== 32) {
    throw new InvalidArgumentError('It must be a request id: 0x and 64 hex digits.')
  }
  return text
}
