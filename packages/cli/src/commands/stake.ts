import {
  costOfCorruption,
  createSender,
  type HolderStake,
  publicClientOf,
  readHolderStake,
  readSlashes,
  readTotalStake,
  readValidatorStake,
  readValidators,
  type SendCall,
  type ValidatorStake,
} from '@assay/chain'
import { formatOpg, type Network, opgAbi, paramStoreAbi, validatorStakingAbi } from '@assay/protocol'
import { type Command, InvalidArgumentError } from 'commander'
import {
  type Address,
  encodeFunctionData,
  formatUnits,
  getAddress,
  isAddress,
  type PublicClient,
  stringToHex,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { parseOpg, parseSomeOpg } from '../amount.ts'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { describeStakes, describeValidator } from '../stake/describeStake.ts'
import { type Tally, tallied } from '../tally.ts'
import { walletKey } from '../wallet.ts'

/** What opening a tranche, a bucket and new checkpoints costs more than adding to them. */
const OPENING_GAS = 400_000n

type StakeOptions = { network?: string; json?: true }

/** How much of a holding: an amount in OPG base units, or all of it. */
type Part = bigint | 'all'

export function registerStake(program: Command, context: CommandContext): void {
  const stake = program
    .command('stake')
    .description('Underwrite a validator: earn with it, and lose with it where it is proven wrong.')
  const command = (name: string, description: string) =>
    stake
      .command(name)
      .description(description)
      .option('--network <file>', 'network.json of another network')
      .option('--json', 'print JSON')

  command('status', 'What stands behind each validator, and what you underwrite; of one: its slashes too.')
    .argument('[validator]', 'address of a validator', address)
    .action(async (validator: Address | undefined, options: StakeOptions) => {
      const network = networkFor(options.network)
      const status =
        validator === undefined ? await statusOfAll(network) : await statusOfOne(network, validator)
      if (options.json === true) {
        context.output.out(toJsonText({ ...status, unit: 'OPG base units (10^-18 OPG)' }))
      } else {
        context.output.out('slashes' in status ? describeValidator(status) : describeStakes(status))
      }
    })

  command('register', 'Become a validator, with a bond of your own.')
    .requiredOption('--url <url>', 'where your validator listens', httpUrl)
    .requiredOption('--self-bond <OPG>', 'your own bond, which pays first for your faults', parseOpg)
    .action(async (options: StakeOptions & { url: string; selfBond: bigint }) => {
      const { url, selfBond } = options
      await act(context, options, async (account) => {
        await mustReachLeastBond(account, selfBond)
        await account.approve(selfBond)
        return account.send('register', [url, selfBond])
      })
    })

  command('delegate', 'Put OPG behind a validator; to your own: add to its bond.')
    .argument('<validator>', 'address of a validator', address)
    .argument('<amount>', 'OPG', parseSomeOpg)
    .action(async (validator: Address, amount: bigint, options: StakeOptions) => {
      await act(context, options, async (account) => {
        await mustBeValidator(account.client, account.network, validator)
        await account.approve(amount)
        if (validator === account.address) return account.send('addSelfBond', [amount])
        // A deposit's shares are new ones at a rate of 1; less would mean a slash came in between.
        return account.send('delegate', [validator, amount, amount])
      })
    })

  command('undelegate', 'Begin an exit. It stays slashable for what it backed until it is free.')
    .argument('<validator>', 'address of a validator', address)
    .argument('<amount>', 'OPG, or: all', part)
    .action(async (validator: Address, amount: Part, options: StakeOptions) => {
      await act(context, options, async (account) => {
        const shares = await sharesFor(account, validator, amount)
        return account.send('undelegate', [validator, shares])
      })
    })

  command(
    'redelegate',
    "Move to another validator: a shorter exit, which `stake claim` (anyone's) then bonds.",
  )
    .argument('<from>', 'address of the validator it leaves', address)
    .argument('<to>', 'address of the validator it goes to', address)
    .argument('<amount>', 'OPG, or: all', part)
    .action(async (from: Address, to: Address, amount: Part, options: StakeOptions) => {
      await act(context, options, async (account) => {
        await mustBeValidator(account.client, account.network, to)
        const shares = await sharesFor(account, from, amount)
        return account.send('redelegate', [from, to, shares])
      })
    })

  command('claim', 'Collect rewards and exits that are free, and bond what has moved.')
    .argument('[validator]', 'only at this one', address)
    .action(async (validator: Address | undefined, options: StakeOptions) => {
      await act(context, options, (account) => claimAt(account, validator))
    })
}

// ------------------------------------------------------------------ status

async function statusOfAll(network: Network) {
  const client = publicClientOf(network)
  const [totalStake, addresses] = await Promise.all([
    readTotalStake(client, network),
    readValidators(client, network),
  ])
  const validators = await Promise.all(addresses.map((at) => mustBeValidator(client, network, at)))
  const holder = holderOf(network)
  const yours = await holdingsOf(client, network, addresses, holder)
  return { totalStake, costOfCorruption: costOfCorruption(totalStake), validators, holder, yours }
}

async function statusOfOne(network: Network, address: Address) {
  const client = publicClientOf(network)
  const holder = holderOf(network)
  const [totalStake, validator, { since, slashes }, yours] = await Promise.all([
    readTotalStake(client, network),
    mustBeValidator(client, network, address),
    readSlashes(client, network, address),
    holdingsOf(client, network, [address], holder),
  ])
  return {
    totalStake,
    costOfCorruption: costOfCorruption(totalStake),
    validator,
    slashes,
    slashesSince: since,
    holder,
    yours,
  }
}

/** The wallet where there is one: to look at a network needs none. */
function holderOf(network: Network): Address | null {
  const { ASSAY_WALLET_KEY: key } = process.env
  if ((key === undefined || key === '') && network.accounts.demo === undefined) return null
  return privateKeyToAccount(walletKey(network)).address
}

async function holdingsOf(
  client: PublicClient,
  network: Network,
  validators: readonly Address[],
  holder: Address | null,
): Promise<readonly HolderStake[]> {
  if (holder === null) return []
  const all = await Promise.all(validators.map((at) => readHolderStake(client, network, at, holder)))
  return all.filter(({ stake, reward, exits }) => stake > 0n || reward > 0n || exits.length > 0)
}

async function mustBeValidator(
  client: PublicClient,
  network: Network,
  validator: Address,
): Promise<ValidatorStake> {
  const found = await readValidatorStake(client, network, validator)
  if (found !== undefined) return found
  throw new CliError('No validator is registered under this address.', {
    exitCode: EXIT.failed,
    code: 'unknown_validator',
    facts: { validator },
    next: 'See them all with: assay stake status',
  })
}

/** Said before an allowance is sent for nothing, and in OPG: the contract itself speaks of base units. */
async function mustReachLeastBond({ client, network }: Account, selfBond: bigint): Promise<void> {
  const least = await client.readContract({
    address: network.contracts.ParamStore,
    abi: paramStoreAbi,
    functionName: 'get',
    args: [stringToHex('MIN_SELF_BOND', { size: 32 })],
  })
  if (selfBond >= least) return
  throw new CliError('This is less than the least bond that a validator needs.', {
    exitCode: EXIT.failed,
    code: 'too_little_bond',
    facts: { least: formatOpg(least), amount: formatOpg(selfBond) },
    next: `Give at least that: assay stake register --url <url> --self-bond ${formatUnits(least, 18)}`,
  })
}

// ------------------------------------------------------------------ acting

type Account = {
  address: Address
  client: PublicClient
  network: Network
  /** Lets the staking contract take `amount`, where it may not yet. */
  approve(amount: bigint): Promise<void>
  /** Says what is to be sent, where that is more than one call. */
  plan(calls: readonly Call[]): void
  send(...call: Call): Promise<Done>
}

type Call = readonly [functionName: string, args: readonly unknown[]]

type Done = { action: string; transactionHash: string }

/** Runs what one of the commands does in the wallet's name, and says what was done. */
async function act(
  context: CommandContext,
  options: StakeOptions,
  action: (account: Account) => Promise<Done | readonly Done[]>,
): Promise<void> {
  const network = networkFor(options.network)
  const result = await tallied(context.output, options.json, (tally) => action(accountOf(network, tally)))
  const done = 'action' in result ? [result] : result
  if (options.json === true) context.output.out(toJsonText({ done }))
}

function accountOf(network: Network, tally: Tally): Account {
  const sender = createSender({ network, privateKey: walletKey(network) })
  const client = publicClientOf(network)
  const { OPG, ValidatorStaking } = network.contracts
  const token = { address: OPG, abi: opgAbi } as const
  return {
    address: getAddress(sender.address),
    client,
    network,
    async approve(amount) {
      const [balance, allowance] = await Promise.all([
        client.readContract({ ...token, functionName: 'balanceOf', args: [sender.address] }),
        client.readContract({
          ...token,
          functionName: 'allowance',
          args: [sender.address, ValidatorStaking],
        }),
      ])
      if (balance < amount) {
        throw new CliError('The wallet holds less than that.', {
          exitCode: EXIT.failed,
          code: 'too_little_opg',
          facts: { wallet: sender.address, balance: formatOpg(balance), amount: formatOpg(amount) },
          next: 'On a development network: assay wallet fund',
        })
      }
      if (allowance >= amount) return
      const approval = { ...token, functionName: 'approve', args: [ValidatorStaking, amount] }
      await tally.send('approve', () => sender.send(approval))
    },
    plan: (calls) => tally.plan(calls.map(nameOf)),
    async send(functionName, args) {
      const call: SendCall = { address: ValidatorStaking, abi: validatorStakingAbi, functionName, args }
      const gas = await estimate(client, sender.address, call)
      const name = nameOf([functionName, args])
      const { transactionHash } = await tally.send(name, () => sender.send({ ...call, gas }))
      return { action: functionName, transactionHash }
    },
  }
}

/** A call as people read it: what is collected in several places is told apart by the validator, its first argument. */
function nameOf([functionName, [first]]: Call): string {
  return isAddress(String(first)) ? `${functionName} ${String(first)}` : functionName
}

/**
 * The first call of an epoch opens what later ones only add to, so an estimate of this epoch may be too little for the
 * next. Unused gas is not paid.
 */
async function estimate(client: PublicClient, account: Address, call: SendCall): Promise<bigint | undefined> {
  const { address: to, abi, functionName, args } = call
  const data = encodeFunctionData({ abi, functionName, args: args ?? [] })
  // Where the contract refuses, the sender finds out why.
  const gas = await client.estimateGas({ account, to, data }).catch(() => undefined)
  return gas === undefined ? undefined : (gas * 13n) / 10n + OPENING_GAS
}

/** Shares worth at least `amount`; the oldest go first. */
async function sharesFor(account: Account, validator: Address, amount: Part): Promise<bigint> {
  const { client, network, address: holder } = account
  await mustBeValidator(client, network, validator)
  const { stake, shares } = await readHolderStake(client, network, validator, holder)
  if (amount === 'all' && shares > 0n) return shares
  if (amount !== 'all' && amount <= stake) {
    const wanted = (amount * shares + stake - 1n) / stake
    return wanted < shares ? wanted : shares
  }
  throw new CliError('You have less than that behind this validator.', {
    exitCode: EXIT.failed,
    code: 'too_little_stake',
    facts: { validator, stake: formatOpg(stake), amount: amount === 'all' ? 'all' : formatOpg(amount) },
    next: `See what you have with: assay stake status ${validator}`,
  })
}

async function claimAt(account: Account, only: Address | undefined): Promise<readonly Done[]> {
  const { client, network, address: holder } = account
  const all = only === undefined ? await readValidators(client, network) : [only]
  if (only !== undefined) await mustBeValidator(client, network, only)
  const { timestamp } = await client.getBlock()
  const calls: Call[] = []
  for (const { validator, reward, exits } of await holdingsOf(client, network, all, holder)) {
    const free = exits.filter(({ releaseAt }) => releaseAt <= timestamp)
    if (reward > 0n) calls.push(['claim', [validator]])
    if (free.some(({ target }) => target !== null)) calls.push(['bond', [validator, holder]])
    if (free.some(({ target }) => target === null)) calls.push(['withdraw', [validator]])
  }
  account.plan(calls)
  const done: Done[] = []
  for (const call of calls) done.push(await account.send(...call))
  if (done.length > 0) return done
  throw new CliError('There is nothing to collect yet.', {
    exitCode: EXIT.failed,
    code: 'nothing_to_claim',
    facts: { wallet: holder },
    next: 'See when exits are free with: assay stake status',
  })
}

// ------------------------------------------------------------------ arguments

function address(text: string): Address {
  if (!isAddress(text)) throw new InvalidArgumentError('It must be an address: 0x and 40 hex digits.')
  return getAddress(text)
}

function part(text: string): Part {
  return text === 'all' ? 'all' : parseSomeOpg(text)
}

function httpUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || text.length > 256)
    throw new InvalidArgumentError('It must be an http or https URL of at most 256 characters.')
  return text
}
