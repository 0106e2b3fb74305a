import {
  apiKeyHash,
  deploymentOf,
  formatOpg,
  grantIdOf,
  isApiKey,
  type Network,
  smaller,
} from '@assay/protocol'
import {
  createApiKey,
  fundGrant,
  type OnAllowed,
  openGrant,
  readGrantCalls,
  revokeApiKey,
  revokeGrant,
  SdkError,
  withdrawGrant,
} from '@assay/sdk'
import { type Command, InvalidArgumentError } from 'commander'
import { type Address, formatUnits, type Hex, isAddress, isHash } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { opgOption, parseOpg, parseSomeOpg } from '../amount.ts'
import { CliError, EXIT, failureOf } from '../cliError.ts'
import { describeGrant, type GrantFacts } from '../grant/describeGrant.ts'
import { readGrantFacts } from '../grant/readGrantFacts.ts'
import { networkFor } from '../home.ts'
import { table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { tallied } from '../tally.ts'
import { walletKey } from '../wallet.ts'

type GrantOptions = { network?: string; json?: true }
type CreateOptions = GrantOptions & {
  deposit: bigint
  maxTotal?: bigint
  maxPerCall?: bigint
  perHour: bigint
  model: string[]
  node: Address[]
  days: number
}

const DAY_SECONDS = 86_400
/** Most that one call may cost, where nothing else is said and the grant may spend as much, OPG base units. */
const MAX_PER_CALL = parseOpg('1')

/** `assay wallet grant …`: money that clients with nothing but an API key may spend. */
export function registerWalletGrant(wallet: Command, context: CommandContext): void {
  const grant = wallet
    .command('grant')
    .description('Prepaid calls: an API key for any OpenAI or Anthropic client, within limits that you set.')
  const command = (name: string, description: string) =>
    grant
      .command(name)
      .description(description)
      .option('--network <file>', 'network.json of another network')
      .option('--json', 'print JSON')
  const collect =
    <Value>(read: (text: string) => Value) =>
    (text: string, all: Value[]): Value[] => [...all, read(text)]

  command('create', 'Open a grant, pay in, and make an API key under it. The key is shown once.')
    .addOption(opgOption('--deposit <OPG>', 'what to pay in now', '10'))
    .option(
      '--max-total <OPG>',
      'most that may ever be spent; default ten deposits, so that more can be paid in',
      parseOpg,
    )
    .option(
      '--max-per-call <OPG>',
      'most that one call may cost; default 1, or --max-total if less',
      parseOpg,
    )
    .addOption(opgOption('--per-hour <OPG>', 'most that the calls of an hour may cost; 0 = no limit', '0'))
    .option('--model <name>', 'a model that may be called; repeat it; default any', collect(String), [])
    .option('--node <address>', 'a node that may serve; repeat it; default any', collect(address), [])
    .option('--days <n>', 'days until it ends', days, 30)
    .action((options: CreateOptions) => create(options, context))

  command('list', 'Your grants, what each may spend, has spent and still holds.').action(
    async (options: GrantOptions) => {
      const { network, payer } = payerOf(options)
      const grants = await readGrantFacts(network, payer)
      if (options.json === true) return context.output.out(toJsonText({ payer, grants }))
      const none = 'You have opened no grant. Open one with: assay wallet grant create\n'
      context.output.out(grants.length === 0 ? none : grants.map(describeGrant).join('\n'))
    },
  )

  command('show', 'One grant and every debit under it.')
    .argument('<id>', 'id of the grant', grantId)
    .action(async (id: Hex, options: GrantOptions) => {
      const { network, payer } = payerOf(options)
      const facts = await ownGrant(network, payer, id)
      const calls = await readGrantCalls(network, id).catch(unheardOf)
      if (options.json === true) return context.output.out(toJsonText({ ...facts, calls }))
      if (calls === null) return context.output.out(`${describeGrant(facts)}\n${keyFirst(facts)}`)
      const rows = calls.map(({ counter, at, amount, state, settled, requestId }): [string, string] => [
        `#${counter}  ${at}`,
        `${formatOpg(amount)}  ${settled ? 'paid' : state === 'finished' ? 'to be paid' : state}  ${requestId}`,
      ])
      const none = facts.end === null ? 'No call yet.\n' : 'No call was made under it.\n'
      context.output.out(`${describeGrant(facts)}\n${rows.length === 0 ? none : table(rows)}`)
    })

  command('key', 'Make another API key under a grant, or take one back. A new key is shown once.')
    .argument('<id>', 'id of the grant', grantId)
    .option('--revoke <key>', 'the key to take back, or its hash', keyHash)
    .action(async (id: Hex, options: GrantOptions & { revoke?: Hex }) => {
      const { network, payer, privateKey } = payerOf(options)
      const terms = await ownGrant(network, payer, id)
      if (options.revoke !== undefined) {
        await revokeApiKey(network, privateKey, terms, options.revoke)
        const done = { grantId: id, keyHash: options.revoke, revoked: true }
        return context.output.out(
          options.json === true ? toJsonText(done) : 'The key is revoked, for good.\n',
        )
      }
      const key = await createApiKey(network, privateKey, terms)
      if (options.json === true) return context.output.out(toJsonText({ grantId: id, apiKey: key }))
      context.output.out(howToUse(network, key))
    })

  command('fund', 'Pay more in, up to the most that the grant may spend.')
    .argument('<id>', 'id of the grant', grantId)
    .argument('<OPG>', 'how much', parseSomeOpg)
    .action(async (id: Hex, amount: bigint, options: GrantOptions) => {
      await act(id, options, 'fund', (network, key, terms, onAllowed) =>
        fundGrant(network, key, terms, amount, onAllowed),
      )
    })

  command('revoke', 'End a grant: no new call is taken, calls that run are still paid.')
    .argument('<id>', 'id of the grant', grantId)
    .action(async (id: Hex, options: GrantOptions) => {
      await act(id, options, 'revoke', revokeGrant)
    })

  command('withdraw', 'Take back what is left, once the calls from before the end are settled.')
    .argument('<id>', 'id of the grant', grantId)
    .action(async (id: Hex, options: GrantOptions) => {
      await act(id, options, 'withdraw', withdrawGrant)
    })

  async function act(
    id: Hex,
    options: GrantOptions,
    name: string,
    send: (...to: [...Parameters<typeof revokeGrant>, OnAllowed]) => Promise<Hex>,
  ): Promise<void> {
    const { network, payer, privateKey } = payerOf(options)
    const terms = await ownGrant(network, payer, id)
    await tallied(context.output, options.json, async (tally) => {
      const onAllowed = (hash: Hex) => tally.landed('approve', hash)
      const { transactionHash } = await tally.send(name, async () => ({
        transactionHash: await send(network, privateKey, terms, onAllowed),
      }))
      const facts = await ownGrant(network, payer, id)
      if (options.json === true) context.output.out(toJsonText({ ...facts, transactionHash }))
      else context.output.out(describeGrant(facts))
    })
  }
}

async function create(options: CreateOptions, { output }: CommandContext): Promise<void> {
  const { network, privateKey, payer } = payerOf(options)
  const { deposit, perHour, node } = options
  const { maxTotal, maxPerCall } = usableLimits(options)
  const models = options.model.map((name) => modelIdOf(network, name))
  const expiry = BigInt(Math.floor(Date.now() / 1000) + options.days * DAY_SECONDS)
  const limits = { maxTotal, maxPerCall, ratePerHour: perHour, models, nodes: node, expiry, deposit }
  const { grant, grantId: id } = await tallied(output, options.json, (tally) => {
    const onAllowed = (hash: Hex) => tally.landed('approve', hash)
    return tally.send('open', () => openGrant({ network, privateKey, ...limits, onAllowed }))
  })
  try {
    // Read before there is a key: that exists nowhere else, so nothing may go wrong between it and its being shown.
    const facts = options.json === true ? undefined : await ownGrant(network, payer, id)
    const key = await createApiKey(network, privateKey, grant)
    output.out(
      facts === undefined
        ? toJsonText({ grantId: id, grant, apiKey: key, gatewayUrl: network.gatewayUrl })
        : `${describeGrant(facts)}\n${howToUse(network, key)}`,
    )
  } catch (cause) {
    throw keyless(id, cause)
  }
}

/**
 * What the grant may spend. Its limits can never be changed, so those under which no call could be paid are refused before
 * any money moves.
 */
function usableLimits(options: CreateOptions): { maxTotal: bigint; maxPerCall: bigint } {
  const { deposit, maxTotal = 10n * deposit } = options
  const { maxPerCall = smaller(maxTotal, MAX_PER_CALL) } = options
  const refuse = (message: string, next: string) =>
    new CliError(message, {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: {
        deposit: formatOpg(deposit),
        maxTotal: formatOpg(maxTotal),
        maxPerCall: formatOpg(maxPerCall),
      },
      next,
    })
  if (maxTotal === 0n) {
    throw refuse(
      'A grant that may never spend anything pays for no call, and nothing can be paid into it.',
      'Give a --deposit above 0, or a --max-total above 0 to pay in later.',
    )
  }
  if (deposit > maxTotal) {
    throw refuse('The deposit is more than the grant may ever spend.', 'Raise --max-total, or pay less in.')
  }
  if (maxPerCall === 0n) {
    throw refuse(
      'Where one call may cost nothing, every call is refused.',
      'Give a --max-per-call above 0: the highest price of a call, with as many tokens as it may have.',
    )
  }
  if (maxPerCall > maxTotal) {
    throw refuse(
      'One call may not cost more than the grant may ever spend.',
      `Give a --max-per-call of at most ${formatUnits(maxTotal, 18)}, or raise --max-total.`,
    )
  }
  return { maxTotal, maxPerCall }
}

/** Whoever only heard that the gateway is away would open a second grant, and pay a second deposit. */
function keyless(grantId: Hex, cause: unknown): CliError {
  const { exitCode, message } = failureOf(cause)
  return new CliError('The grant is open and its deposit is paid in, but there is no key under it yet.', {
    exitCode,
    code: 'key_not_made',
    facts: { grantId, why: message },
    next: `Make one once the gateway answers: assay wallet grant key ${grantId}`,
    cause,
  })
}

/** A gateway hears of a grant with the first key under it: until then there is no call to tell. @throws any other */
function unheardOf(cause: unknown): null {
  if (cause instanceof SdkError && cause.code === 'gateway_error' && cause.facts.status === 404) return null
  throw cause
}

const keyFirst = ({ id, end }: GrantFacts): string =>
  end === null
    ? `The gateway has not heard of it: it does with the first key: assay wallet grant key ${id}\n`
    : 'The gateway never heard of it: no call was made under it there.\n'

function howToUse(network: Network, key: string): string {
  return `The API key, shown this once:

  ${key}

OpenAI clients:     OPENAI_API_KEY=<key>     OPENAI_BASE_URL=${network.gatewayUrl}/v1
Anthropic clients:  ANTHROPIC_API_KEY=<key>  ANTHROPIC_BASE_URL=${network.gatewayUrl}
`
}

function payerOf(options: GrantOptions): { network: Network; privateKey: Hex; payer: Address } {
  const network = networkFor(options.network)
  const privateKey = walletKey(network)
  return { network, privateKey, payer: privateKeyToAddress(privateKey) }
}

async function ownGrant(network: Network, payer: Address, id: Hex): Promise<GrantFacts> {
  const grants = await readGrantFacts(network, payer)
  // By its terms, not by the id that the chain's node names them by: it is the terms that are signed for.
  const own = grants.find((terms) => grantIdOf(terms, deploymentOf(network)) === id)
  if (own !== undefined) return own
  throw new CliError('This wallet has opened no such grant.', {
    exitCode: EXIT.failed,
    code: 'not_found',
    facts: { id, payer },
    next: 'assay wallet grant list',
  })
}

function modelIdOf(network: Network, name: string): Hex {
  const model = network.models.find((entry) => entry.name === name)
  if (model !== undefined) return model.modelId
  throw new CliError('The network lists no such model.', {
    exitCode: EXIT.usage,
    code: 'unknown_model',
    facts: { model: name, known: network.models.map((entry) => entry.name).join(', ') },
  })
}

function grantId(text: string): Hex {
  const id = text.toLowerCase()
  if (!isHash(id)) throw new InvalidArgumentError('It must be 0x and 64 hex digits.')
  return id
}

/** The hash alone is kept: a key that was typed never goes further than here. */
function keyHash(text: string): Hex {
  if (isApiKey(text)) return apiKeyHash(text)
  const hash = text.toLowerCase()
  if (!isHash(hash)) throw new InvalidArgumentError('It must be a key (assay_…) or the hash of one.')
  return hash
}

function address(text: string): Address {
  if (!isAddress(text)) throw new InvalidArgumentError('It must be an address.')
  return text.toLowerCase() as Address
}

function days(text: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(text)) {
    throw new InvalidArgumentError('It must be a whole number of days, from 1 to 9999.')
  }
  return Number(text)
}
