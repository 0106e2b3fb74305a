import {
  createSender,
  DEVELOPMENT_ROLES,
  developmentAccount,
  isDevelopmentAccount,
  publicClientOf,
} from '@assay/chain'
import { formatOpg, type Network, opgAbi, PERMIT2_ADDRESS } from '@assay/protocol'
import type { Command } from 'commander'
import { type Address, getAddress, maxUint256, parseUnits } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { type Tally, tallied } from '../tally.ts'
import { walletKey } from '../wallet.ts'
import { registerWalletGrant } from './walletGrant.ts'
import { REFUNDS, readCredits, registerWalletMoney } from './walletMoney.ts'
import { registerWalletPayment } from './walletPayment.ts'

type WalletOptions = { network?: string; json?: true }

/** What `wallet fund` tops a wallet up to on a development network, OPG base units. */
const FUND_TO = parseUnits('1000', 18)

export function registerWallet(program: Command, context: CommandContext): void {
  const wallet = program
    .command('wallet')
    .description('The account that pays: ASSAY_WALLET_KEY, else the demo account of a development network.')
  registerWalletGrant(wallet, context)
  const command = (name: string, description: string) =>
    wallet
      .command(name)
      .description(description)
      .option('--network <file>', 'network.json of another network')
      .option('--json', 'print JSON')

  command('address', 'Print its address.').action((options: WalletOptions) => {
    const address = addressOf(networkFor(options.network))
    context.output.out(options.json === true ? toJsonText({ address }) : `${address}\n`)
  })

  command('balance', 'What it holds, what Permit2 may move, and what the contracts owe it.').action(
    async (options: WalletOptions) => {
      const network = networkFor(options.network)
      const address = addressOf(network)
      const state = await readWallet(network, address)
      if (options.json === true) {
        const { balance, permit2 } = state
        const credits = Object.fromEntries(state.credits.map(({ from, amount }) => [from, amount]))
        context.output.out(
          toJsonText({
            address,
            balance,
            permit2,
            credit: credits[REFUNDS],
            credits,
            unit: 'OPG base units (10^-18 OPG)',
          }),
        )
        return
      }
      context.output.out(
        table([
          ['address', address],
          ['balance', formatOpg(state.balance)],
          ['Permit2 may move', state.permit2 > parseUnits('1', 36) ? 'unlimited' : formatOpg(state.permit2)],
          ...state.credits.map(({ from, amount }): [string, string] => [`owed: ${from}`, formatOpg(amount)]),
        ]),
      )
    },
  )

  command(
    'fund',
    `Development networks only: top it up to ${formatOpg(FUND_TO)} and approve Permit2.`,
  ).action(async (options: WalletOptions) => {
    const network = networkFor(options.network)
    const address = addressOf(network)
    await tallied(context.output, options.json, (tally) => fund(network, address, tally))
    const { balance } = await readWallet(network, address)
    if (options.json === true) context.output.out(toJsonText({ address, balance }))
    else context.output.out(`${address} holds ${formatOpg(balance)}; Permit2 is approved.\n`)
  })

  registerWalletMoney(command, context)
  registerWalletPayment(command, context)
}

function addressOf(network: Network): Address {
  return getAddress(privateKeyToAccount(walletKey(network)).address)
}

async function readWallet(network: Network, address: Address) {
  const client = publicClientOf(network)
  const { OPG } = network.contracts
  const [balance, permit2, credits] = await Promise.all([
    client.readContract({ address: OPG, abi: opgAbi, functionName: 'balanceOf', args: [address] }),
    client.readContract({
      address: OPG,
      abi: opgAbi,
      functionName: 'allowance',
      args: [address, PERMIT2_ADDRESS],
    }),
    readCredits(client, network, address),
  ])
  return { balance, permit2, credits }
}

async function fund(network: Network, address: Address, tally: Tally): Promise<void> {
  if (!handsOutMoney(network)) {
    throw new CliError('Only a development network hands out money.', {
      exitCode: EXIT.failed,
      code: 'not_a_devnet',
      next: 'Send OPG to the address that assay wallet address prints.',
    })
  }
  const { OPG } = network.contracts
  const { balance, permit2 } = await readWallet(network, address)
  const client = publicClientOf(network)
  const { privateKey: bankKey } = developmentAccount(DEVELOPMENT_ROLES.deployer)
  const bank = createSender({ network, privateKey: bankKey })
  if (balance < FUND_TO) {
    const args = [address, FUND_TO - balance] as const
    await tally.send('transfer', () =>
      bank.send({ address: OPG, abi: opgAbi, functionName: 'transfer', args }),
    )
  }
  if (permit2 >= FUND_TO) return
  const own = createSender({ network, privateKey: walletKey(network) })
  if ((await client.getBalance({ address })) < GAS_MONEY) {
    await tally.send('gas money', () => bank.transferEther(address, GAS_MONEY))
  }
  const args = [PERMIT2_ADDRESS, maxUint256] as const
  await tally.send('approve Permit2', () =>
    own.send({ address: OPG, abi: opgAbi, functionName: 'approve', args }),
  )
}

/** Under a profile too, whose demo account alone has a key that no development phrase has. */
function handsOutMoney({ accounts: { demo }, profile }: Network): boolean {
  return demo !== undefined && (isDevelopmentAccount(demo.address) || profile !== undefined)
}

/** Enough for one approval, wei. */
const GAS_MONEY = parseUnits('0.01', 18)
