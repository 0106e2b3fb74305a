import { setTimeout as delay } from 'node:timers/promises'
import { type Proposal, type ProposalState, readProposal } from '@assay/chain'
import type { Network } from '@assay/protocol'
import type { PublicClient } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import { nextOf } from './showProposal.ts'

const POLL_MILLISECONDS = 500
/** Enough for any vote of a development network; on others a vote takes days, and nobody waits at a terminal. */
const LIMIT_MILLISECONDS = 600_000

/** Which states come before which, so that it is worth waiting. */
const BEFORE: Partial<Record<ProposalState, readonly ProposalState[]>> = {
  active: ['pending'],
  succeeded: ['pending', 'active'],
  queued: ['pending', 'active', 'succeeded'],
}

/**
 * The proposal in the state that the next step needs (queued and over its delay, where that is `queued`).
 * @throws CliError `not_yet` where it is not there and `wait` is off, `wrong_state` where it never will be.
 */
export async function waitForState(parameters: {
  client: PublicClient
  network: Network
  found: { number: number; id: bigint }
  state: ProposalState
  wait: boolean
}): Promise<Proposal> {
  const { client, network, found, state, wait } = parameters
  const deadline = Date.now() + LIMIT_MILLISECONDS
  for (;;) {
    const [proposal, { timestamp }] = await Promise.all([
      readProposal(client, network, found),
      client.getBlock(),
    ])
    const delayed = state === 'queued' && proposal.state === 'queued' && timestamp < proposal.eta
    if (proposal.state === state && !delayed) return proposal
    const comes = delayed || BEFORE[state]?.includes(proposal.state) === true
    if (!comes || !wait || Date.now() > deadline) {
      throw new CliError(comes ? 'It is too early for this.' : 'The proposal cannot take this step.', {
        exitCode: EXIT.failed,
        code: comes ? 'not_yet' : 'wrong_state',
        facts: { proposal: proposal.number, state: proposal.state, needed: state },
        next: nextOf(proposal),
      })
    }
    await delay(POLL_MILLISECONDS)
  }
}
