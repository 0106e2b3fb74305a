import { AssayError, type Network, opgGovernorAbi } from '@assay/protocol'
import { type Address, type Hex, type PublicClient, parseEventLogs } from 'viem'
import type { Sender } from '../sender/createSender.ts'

/** One call that a proposal makes through the timelock. `value` in wei. */
export type ProposalAction = { target: Address; value: bigint; data: Hex }

/** In the order of OpenZeppelin's `ProposalState`. */
const PROPOSAL_STATES = [
  'pending', // waiting for the block at which votes are counted
  'active', // may be voted on
  'canceled',
  'defeated',
  'succeeded', // anybody may queue it
  'queued', // waiting out the timelock; then anybody may execute it
  'expired',
  'executed',
] as const
export type ProposalState = (typeof PROPOSAL_STATES)[number]

/** In the order of OpenZeppelin's `VoteType`. */
export const VOTE_CHOICES = ['against', 'for', 'abstain'] as const
export type VoteChoice = (typeof VOTE_CHOICES)[number]

export type Proposal = {
  /** 1 for the first proposal of this deployment. */
  number: number
  id: bigint
  proposer: Address
  state: ProposalState
  /** Block whose end decides what everybody's vote weighs. */
  snapshot: bigint
  /** Last block in which to vote. */
  deadline: bigint
  /** When a queued proposal may be executed, Unix seconds; 0 before. */
  eta: bigint
  /** OPG base units. */
  votes: Record<VoteChoice, bigint>
  /** For and abstaining votes needed, OPG base units; null before the snapshot, when it is not known. */
  quorum: bigint | null
  actions: ProposalAction[]
  /** null where the RPC does not serve the block's events. */
  description: string | null
}

type Where = Pick<Network, 'contracts'>

function governorOf(network: Where) {
  return { address: network.contracts.OpgGovernor, abi: opgGovernorAbi } as const
}

/** How many proposals this deployment has seen. */
export async function proposalCount(client: PublicClient, network: Where): Promise<number> {
  return Number(await client.readContract({ ...governorOf(network), functionName: 'proposalCount' }))
}

/** Ids of all proposals of this deployment; that of proposal 1 comes first. */
export async function proposalIds(client: PublicClient, network: Where): Promise<bigint[]> {
  const of = { ...governorOf(network), functionName: 'proposalDetailsAt' } as const
  const count = await proposalCount(client, network)
  const details = await Promise.all(
    Array.from({ length: count }, (_, at) => client.readContract({ ...of, args: [BigInt(at)] })),
  )
  return details.map(([id]) => id)
}

/**
 * The id behind what a person gives: a proposal's number, or its id in decimal or hexadecimal.
 * @throws AssayError `not_found`
 */
export async function findProposal(
  client: PublicClient,
  network: Where,
  given: string,
): Promise<{ number: number; id: bigint }> {
  const count = await proposalCount(client, network)
  const value = /^(0x[0-9a-f]{1,64}|[0-9]{1,78})$/i.test(given) ? BigInt(given) : 0n
  if (value > 0n && value <= BigInt(count)) {
    const number = Number(value)
    const details = await client.readContract({
      ...governorOf(network),
      functionName: 'proposalDetailsAt',
      args: [BigInt(number - 1)],
    })
    return { number, id: details[0] }
  }
  const at = (await proposalIds(client, network)).indexOf(value)
  if (value > 0n && at >= 0) return { number: at + 1, id: value }
  throw new AssayError('There is no such proposal.', {
    code: 'not_found',
    facts: { given: given.slice(0, 80), proposals: count },
    next: 'List them: assay gov status',
  })
}

/** Everything the chain says about one proposal, read at the newest block. */
export async function readProposal(
  client: PublicClient,
  network: Where,
  { number, id }: { number: number; id: bigint },
): Promise<Proposal> {
  const governor = governorOf(network)
  const of = { ...governor, args: [id] } as const
  const [state, proposer, snapshot, deadline, eta, votes, details] = await Promise.all([
    client.readContract({ ...of, functionName: 'state' }),
    client.readContract({ ...of, functionName: 'proposalProposer' }),
    client.readContract({ ...of, functionName: 'proposalSnapshot' }),
    client.readContract({ ...of, functionName: 'proposalDeadline' }),
    client.readContract({ ...of, functionName: 'proposalEta' }),
    client.readContract({ ...of, functionName: 'proposalVotes' }),
    client.readContract({ ...of, functionName: 'proposalDetails' }),
  ])
  const [targets, values, calldatas] = details
  const name = PROPOSAL_STATES[state] ?? 'pending'
  const [quorum, description] = await Promise.all([
    // The governor looks up supply at the snapshot, which must be past.
    name === 'pending'
      ? null
      : client.readContract({ ...governor, functionName: 'quorum', args: [snapshot] }),
    readDescription(client, network, id, snapshot),
  ])
  const [against, inFavour, abstain] = votes
  return {
    number,
    id,
    proposer,
    state: name,
    snapshot,
    deadline,
    eta,
    votes: { against, for: inFavour, abstain },
    quorum,
    actions: targets.map((target, at) => ({
      target,
      value: values[at] ?? 0n,
      data: calldatas[at] ?? '0x',
    })),
    description,
  }
}

/** The text is in an event only, in the block that lies the voting delay before the snapshot. */
async function readDescription(
  client: PublicClient,
  network: Where,
  id: bigint,
  snapshot: bigint,
): Promise<string | null> {
  try {
    const delay = await client.readContract({ ...governorOf(network), functionName: 'votingDelay' })
    const block = snapshot - delay
    const logs = await client.getContractEvents({
      ...governorOf(network),
      eventName: 'ProposalCreated',
      fromBlock: block,
      toBlock: block,
      strict: true,
    })
    return logs.find(({ args }) => args.proposalId === id)?.args.description ?? null
  } catch {
    // Some providers serve no old events; the actions, which are what is voted on, are read from state.
    return null
  }
}

/**
 * Proposes the actions in the sender's name.
 * @throws AssayError `conflict` where the sender has too few votes, or the same proposal exists.
 */
export async function propose(
  sender: Sender,
  network: Where,
  actions: readonly ProposalAction[],
  description: string,
): Promise<bigint> {
  const receipt = await sender.send({
    ...governorOf(network),
    functionName: 'propose',
    args: [
      actions.map(({ target }) => target),
      actions.map(({ value }) => value),
      actions.map(({ data }) => data),
      description,
    ],
  })
  const [created] = parseEventLogs({
    abi: opgGovernorAbi,
    eventName: 'ProposalCreated',
    logs: receipt.logs,
  })
  if (created === undefined) throw new Error('unreachable: a proposal was made without its event')
  return created.args.proposalId
}

/** Casts all of the sender's votes. */
export function castVote(
  sender: Sender,
  network: Where,
  id: bigint,
  choice: VoteChoice,
  reason = '',
): ReturnType<Sender['send']> {
  return sender.send({
    ...governorOf(network),
    functionName: 'castVoteWithReason',
    args: [id, VOTE_CHOICES.indexOf(choice), reason],
  })
}

/** Puts a proposal that succeeded into the timelock. Anybody may. */
export function queueProposal(sender: Sender, network: Where, id: bigint): ReturnType<Sender['send']> {
  return sender.send({ ...governorOf(network), functionName: 'queue', args: [id] })
}

/** Makes the calls of a proposal whose delay is over. Anybody may. */
export function executeProposal(sender: Sender, network: Where, id: bigint): ReturnType<Sender['send']> {
  return sender.send({ ...governorOf(network), functionName: 'execute', args: [id] })
}
