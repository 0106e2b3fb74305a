import { describeAction, type GovernanceRules, type Proposal, type ProposalState } from '@assay/chain'
import { formatOpg, type Network } from '@assay/protocol'
import { printable, table } from '../output.ts'

/** What a reader can do next with a proposal in each state. */
const NEXT: Record<ProposalState, string> = {
  pending: 'voting begins after block {snapshot}',
  active: 'assay gov vote {number} for|against|abstain   (until block {deadline})',
  canceled: 'nothing: its proposer withdrew it',
  defeated: 'nothing: too few votes for it, or more against',
  succeeded: 'assay gov queue {number}',
  queued: 'assay gov execute {number}   (from {eta})',
  expired: 'nothing: it was not executed in time',
  executed: 'nothing: it is in effect',
}

/** A proposal with its actions in words, for JSON. */
export function proposalJson(network: Network, proposal: Proposal) {
  const actions = proposal.actions.map((action) => ({ ...action, text: describeAction(network, action) }))
  return { ...proposal, actions }
}

export function showProposal(network: Network, proposal: Proposal): string {
  const { number, id, state, votes, quorum, description } = proposal
  const rows: [string, string][] = [
    ['proposal', `${number}  ${state}`],
    ['id', id.toString()],
    ['proposer', proposal.proposer],
    ...proposal.actions.map((action): [string, string] => ['would call', describeAction(network, action)]),
    // Written by whoever proposed it: never trusted to be plain text, and never instead of the calls above.
    ['described as', printable(description ?? 'the RPC does not serve its event').replaceAll('\n', ' ')],
    ['for', formatOpg(votes.for)],
    ['against', formatOpg(votes.against)],
    ['abstain', formatOpg(votes.abstain)],
    ['quorum', quorum === null ? 'known when voting begins' : `${formatOpg(quorum)} for or abstaining`],
    ['next', nextOf(proposal)],
  ]
  return table(rows)
}

export function nextOf(proposal: Proposal): string {
  const eta = proposal.eta === 0n ? '' : new Date(Number(proposal.eta) * 1000).toISOString()
  return NEXT[proposal.state]
    .replace('{number}', String(proposal.number))
    .replace('{snapshot}', String(proposal.snapshot))
    .replace('{deadline}', String(proposal.deadline))
    .replace('{eta}', eta)
}

export function showRules(rules: GovernanceRules, now: bigint): string {
  const acting = rules.guardianUntil > now
  const until = new Date(Number(rules.guardianUntil) * 1000).toISOString()
  return table([
    ['to propose', `${formatOpg(rules.proposalThreshold)} of votes`],
    ['voting', `${rules.votingPeriod} blocks, from ${rules.votingDelay} after the proposal`],
    ['late quorum', `at least ${rules.lateQuorumExtension} blocks remain after it`],
    ['quorum', `${Number(rules.quorumBps) / 100}% of the supply`],
    ['timelock', `${rules.timelockDelay} s between success and effect`],
    ['guardian', acting ? `${rules.guardian}, until ${until}` : 'nobody'],
    ['new batches', rules.paused ? 'PAUSED by the guardian' : 'accepted'],
  ])
}
