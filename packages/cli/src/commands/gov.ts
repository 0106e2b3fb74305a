import {
  castVote,
  executeProposal,
  findProposal,
  type Proposal,
  type ProposalState,
  proposalCount,
  propose,
  publicClientOf,
  queueProposal,
  readGovernanceRules,
  readParameters,
  readProposal,
  type Sender,
  VOTE_CHOICES,
  type VoteChoice,
} from '@assay/chain'
import { formatOpg, type Network, opgAbi, opgGovernorAbi, teeRegistryAbi } from '@assay/protocol'
import type { Command } from 'commander'
import { type Address, decodeFunctionData, getAddress, type Hex, isAddress, type PublicClient } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import { PROPOSALS, proposalAction } from '../gov/proposalActions.ts'
import { nextOf, proposalJson, showProposal, showRules } from '../gov/showProposal.ts'
import { AS_DESCRIPTION, AS_OPTION, signerFor } from '../gov/signer.ts'
import { teeHistory } from '../gov/teeHistory.ts'
import { teeRules } from '../gov/teeRules.ts'
import { waitForState } from '../gov/waitForState.ts'
import { networkFor } from '../home.ts'
import { table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { tallied } from '../tally.ts'

type Common = { network?: string; json?: true }
type Signing = Common & { as?: string; wait?: true }

/** Proposals that a listing reads; older ones are named by number. */
const MAX_LISTED = 20
const MAX_TEXT = 4096

export function registerGov(program: Command, context: CommandContext): void {
  const gov = program
    .command('gov')
    .description('Governance: what the network trusts is proposed, voted, queued and executed here.')
  const reading = (name: string, description: string) =>
    gov
      .command(name)
      .description(description)
      .option('--network <file>', 'network.json of another network')
      .option('--json', 'print JSON')
  const signing = (name: string, description: string) =>
    reading(name, description).option(AS_OPTION, AS_DESCRIPTION)

  reading('status', 'The rules and the newest proposals, or one proposal.')
    .argument('[proposal]', 'number or id')
    .action((given: string | undefined, options: Common) => status(context, given, options))

  reading('params', 'Every parameter with its bounds.').action((options: Common) => params(context, options))

  reading('rules', 'What can be ruled on evidence of a hardware, and what is ruled now.')
    .argument('<hardware>', 'nitro | snp | tdx | sgx')
    .argument('[rules...]', 'rules about one chip, family, level or certificate')
    .option('--history', 'what became of every root, measurement and rule, when, and by which proposal')
    .option('--since <block>', '--history: first block to ask about')
    .action((hardware: string, names: string[], options: Common & { history?: true; since?: string }) =>
      options.history === true
        ? teeHistory(context, hardware, options)
        : teeRules(context, hardware, names, options),
    )

  signing('propose', 'Propose a change.')
    .argument('<what>', Object.keys(PROPOSALS).join(' | '))
    .argument('[values...]', 'see below')
    .option('--description <text>', 'why; voters read it')
    .option('--report <uri>', 'approve-root: announces the root with a report that says why to trust it')
    .addHelpText('after', `\nWhat, and its values:\n${kinds()}`)
    .action((what: string, values: string[], options: Signing & { description?: string; report?: string }) =>
      proposeVerb(context, what, values, options),
    )

  signing('vote', 'Vote with everything that the account held when voting began.')
    .argument('<proposal>', 'number or id')
    .argument('<choice>', VOTE_CHOICES.join(' | '))
    .option('--reason <text>', 'published with the vote')
    .option('--wait', 'wait until voting begins')
    .action((given: string, choice: string, options: Signing & { reason?: string }) =>
      voteVerb(context, given, choice, options),
    )

  signing('queue', 'Put a proposal that succeeded into the timelock. Anybody may.')
    .argument('<proposal>', 'number or id')
    .option('--wait', 'wait until voting is over')
    .action((given: string, options: Signing) => step(context, given, options, 'succeeded', queueProposal))

  signing('execute', 'Carry out a proposal whose delay is over. Anybody may.')
    .argument('<proposal>', 'number or id')
    .option('--wait', 'wait until the delay is over')
    .action((given: string, options: Signing) => step(context, given, options, 'queued', executeProposal))

  signing('delegate', 'Let tokens vote: through their owner, or through another.')
    .argument('[to]', 'address; default the account itself')
    .action((to: string | undefined, options: Signing) => delegateVerb(context, to, options))
}

function kinds(): string {
  return table(Object.entries(PROPOSALS).map(([kind, { values }]) => [kind, values] as const))
}

// ---------------------------------------------------------------- reading

async function status(context: CommandContext, given: string | undefined, options: Common): Promise<void> {
  const network = networkFor(options.network)
  const client = publicClientOf(network)
  if (given !== undefined) {
    const proposal = await readProposal(client, network, await findProposal(client, network, given))
    context.output.out(
      options.json === true ? toJsonText(proposalJson(network, proposal)) : showProposal(network, proposal),
    )
    return
  }
  const [rules, { timestamp }, count] = await Promise.all([
    readGovernanceRules(client, network),
    client.getBlock(),
    proposalCount(client, network),
  ])
  const numbers = Array.from({ length: Math.min(count, MAX_LISTED) }, (_, at) => count - at)
  const proposals = await Promise.all(
    numbers.map(async (number) =>
      readProposal(client, network, await findProposal(client, network, String(number))),
    ),
  )
  if (options.json === true) {
    const list = proposals.map((proposal) => proposalJson(network, proposal))
    context.output.out(toJsonText({ rules, proposalCount: count, proposals: list }))
    return
  }
  const rows = proposals.map(
    (proposal) => [`${proposal.number}  ${proposal.state}`, nextOf(proposal)] as const,
  )
  context.output.out(showRules(rules, timestamp))
  context.output.out(rows.length === 0 ? '\nNo proposals yet.\n' : `\nProposals:\n${table(rows)}`)
}

async function params(context: CommandContext, options: Common): Promise<void> {
  const network = networkFor(options.network)
  const parameters = await readParameters(publicClientOf(network), network)
  if (options.json === true) context.output.out(toJsonText({ parameters }))
  else {
    const rows = parameters.map(
      ({ name, value, min, max }) => [name, `${value}  (${min} to ${max})`] as const,
    )
    context.output.out(`Seconds, OPG base units, or 1/10,000 (_BPS):\n${table(rows)}`)
  }
}

// ---------------------------------------------------------------- acting

async function proposeVerb(
  context: CommandContext,
  what: string,
  values: string[],
  options: Signing & { description?: string; report?: string },
): Promise<void> {
  const network = networkFor(options.network)
  const client = publicClientOf(network)
  const signer = signerFor(network, options.as)
  const action = await proposalAction({ client, network }, what, values)
  const description = options.description ?? `${what} ${values.join(' ')}`
  if (description.length > MAX_TEXT) {
    throw new CliError('The description is too long.', {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: { length: description.length, limit: MAX_TEXT },
    })
  }
  await requireVotesToPropose(client, network, signer.address)
  const { report } = options
  const id = await tallied(context.output, options.json, async (tally) => {
    if (report !== undefined) {
      await tally.send('announce', () => announce(signer, network, what, action.data, report))
      tally.plan(['propose'])
    }
    return propose(signer, network, [action], description)
  })
  await show(context, network, client, id.toString(), options)
}

/** A root is approved only if it was announced in time; the announcement is its own transaction, open to anybody. */
async function announce(
  signer: Sender,
  network: Network,
  what: string,
  data: Hex,
  report: string,
): ReturnType<Sender['send']> {
  if (what !== 'approve-root') {
    throw new CliError('Only a root is announced with a report.', {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: { given: what },
      next: 'Leave --report away.',
    })
  }
  const { args } = decodeFunctionData({ abi: teeRegistryAbi, data })
  const [hardwareType, rootHash] = args as readonly [Hex, Hex]
  return signer.send({
    address: network.contracts.TeeRegistry,
    abi: teeRegistryAbi,
    functionName: 'proposeHardware',
    args: [hardwareType, rootHash, report],
  })
}

async function requireVotesToPropose(
  client: PublicClient,
  network: Network,
  account: Address,
): Promise<void> {
  const governor = { address: network.contracts.OpgGovernor, abi: opgGovernorAbi } as const
  const [threshold, clock] = await Promise.all([
    client.readContract({ ...governor, functionName: 'proposalThreshold' }),
    client.readContract({ ...governor, functionName: 'clock' }),
  ])
  const timepoint = BigInt(clock) - 1n
  const votes = await client.readContract({
    ...governor,
    functionName: 'getVotes',
    args: [account, timepoint],
  })
  if (votes >= threshold) return
  throw new CliError('This account has too few votes to propose.', {
    exitCode: EXIT.failed,
    code: 'too_few_votes',
    facts: { account, votes: formatOpg(votes), needed: formatOpg(threshold) },
    next: 'Tokens vote once they are delegated: assay gov delegate',
  })
}

async function voteVerb(
  context: CommandContext,
  given: string,
  choice: string,
  options: Signing & { reason?: string },
): Promise<void> {
  if (!(VOTE_CHOICES as readonly string[]).includes(choice)) {
    throw new CliError('This is not a choice.', {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: { given: choice.slice(0, 40) },
      next: `Say one of: ${VOTE_CHOICES.join(', ')}.`,
    })
  }
  const network = networkFor(options.network)
  const client = publicClientOf(network)
  const signer = signerFor(network, options.as)
  const proposal = await ready(client, network, given, 'active', options)
  const weight = await client.readContract({
    address: network.contracts.OpgGovernor,
    abi: opgGovernorAbi,
    functionName: 'getVotes',
    args: [signer.address, proposal.snapshot],
  })
  if (weight === 0n) {
    throw new CliError('This account had no votes when voting began.', {
      exitCode: EXIT.failed,
      code: 'no_votes',
      facts: { account: signer.address, block: proposal.snapshot },
      next: 'For the next proposal: assay gov delegate',
    })
  }
  await castVote(
    signer,
    network,
    proposal.id,
    choice as VoteChoice,
    (options.reason ?? '').slice(0, MAX_TEXT),
  )
  await show(context, network, client, given, options)
}

async function step(
  context: CommandContext,
  given: string,
  options: Signing,
  state: ProposalState,
  act: typeof queueProposal,
): Promise<void> {
  const network = networkFor(options.network)
  const client = publicClientOf(network)
  const signer = signerFor(network, options.as)
  const proposal = await ready(client, network, given, state, options)
  await act(signer, network, proposal.id)
  await show(context, network, client, given, options)
}

/** The proposal once it is in `state`. @throws CliError `not_yet` where it is not, and is not waited for. */
async function ready(
  client: PublicClient,
  network: Network,
  given: string,
  state: ProposalState,
  options: Signing,
): Promise<Proposal> {
  const found = await findProposal(client, network, given)
  return waitForState({ client, network, found, state, wait: options.wait === true })
}

async function show(
  context: CommandContext,
  network: Network,
  client: PublicClient,
  given: string,
  options: Common,
): Promise<void> {
  const proposal = await readProposal(client, network, await findProposal(client, network, given))
  context.output.out(
    options.json === true ? toJsonText(proposalJson(network, proposal)) : showProposal(network, proposal),
  )
}

async function delegateVerb(
  context: CommandContext,
  to: string | undefined,
  options: Signing,
): Promise<void> {
  const network = networkFor(options.network)
  const signer = signerFor(network, options.as)
  if (to !== undefined && !isAddress(to, { strict: false })) {
    throw new CliError('This is not an address.', {
      exitCode: EXIT.usage,
      code: 'usage',
      facts: { given: to.slice(0, 80) },
    })
  }
  const delegate = to === undefined ? signer.address : getAddress(to)
  const token = { address: network.contracts.OPG, abi: opgAbi } as const
  await signer.send({ ...token, functionName: 'delegate', args: [delegate] })
  const votes = await publicClientOf(network).readContract({
    ...token,
    functionName: 'getVotes',
    args: [delegate],
  })
  if (options.json === true) context.output.out(toJsonText({ account: signer.address, delegate, votes }))
  else
    context.output.out(
      `${signer.address} votes through ${delegate}, which now has ${formatOpg(votes)} of votes.\n`,
    )
}
