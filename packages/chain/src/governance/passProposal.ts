import { setTimeout as delay } from 'node:timers/promises'
import { AssayError, type Network, opgGovernorAbi } from '@assay/protocol'
import type { PublicClient } from 'viem'
import type { Sender } from '../sender/createSender.ts'
import { castVote, executeProposal, type ProposalAction, propose, queueProposal } from './proposals.ts'

const POLL_MILLISECONDS = 250
/** On a development network a proposal takes effect within half a minute; ten times that is stuck. */
const LIMIT_MILLISECONDS = 300_000
const [ACTIVE, SUCCEEDED, QUEUED, EXECUTED] = [1, 4, 5, 7] as const

/**
 * Takes a proposal all the way, as people would: proposed and voted for by one account that holds enough votes, queued,
 * executed. For development networks, whose votes take seconds.
 * @returns the proposal's id.
 * @throws AssayError `conflict` where it is defeated, `unreachable` where it takes longer than such networks do.
 */
export async function passProposal(parameters: {
  client: PublicClient
  voter: Sender
  network: Pick<Network, 'contracts'>
  actions: readonly ProposalAction[]
  description: string
}): Promise<bigint> {
  const { client, voter, network, actions, description } = parameters
  const id = await propose(voter, network, actions, description)
  const reach = (state: number) => reachState(client, network, id, state)
  await reach(ACTIVE)
  await castVote(voter, network, id, 'for')
  await reach(SUCCEEDED)
  await queueProposal(voter, network, id)
  await reach(QUEUED)
  await timelockOver(client, network, id)
  await executeProposal(voter, network, id)
  await reach(EXECUTED)
  return id
}

async function reachState(
  client: PublicClient,
  network: Pick<Network, 'contracts'>,
  id: bigint,
  wanted: number,
): Promise<void> {
  const at = { address: network.contracts.OpgGovernor, abi: opgGovernorAbi } as const
  const deadline = Date.now() + LIMIT_MILLISECONDS
  for (;;) {
    const state = await client.readContract({ ...at, functionName: 'state', args: [id] })
    if (state === wanted) return
    // Canceled, defeated, expired: it will never get there.
    const stuck = state === 2 || state === 3 || state === 6
    if (stuck || Date.now() > deadline) {
      throw new AssayError('A proposal did not pass.', {
        code: stuck ? 'conflict' : 'unreachable',
        facts: { proposal: id, state, wanted },
        next: 'See what it lacks: assay gov status',
      })
    }
    await delay(POLL_MILLISECONDS)
  }
}

async function timelockOver(
  client: PublicClient,
  network: Pick<Network, 'contracts'>,
  id: bigint,
): Promise<void> {
  const at = { address: network.contracts.OpgGovernor, abi: opgGovernorAbi } as const
  const eta = await client.readContract({ ...at, functionName: 'proposalEta', args: [id] })
  while ((await client.getBlock()).timestamp < eta) await delay(POLL_MILLISECONDS)
}
