import { formatOpg, larger, type NetworkModel, smaller } from '@assay/protocol'
import type { Bond } from '../chain/gatewayChain.ts'
import type { Context } from '../context.ts'
import type { Offer } from '../nodes/health.ts'
import type { InferenceNode } from '../nodes/inferenceNode.ts'
import { type Asked, exposureOf } from './asked.ts'
import { costOfCorruption, isMode, MODES, type Mode } from './costOfCorruption.ts'

/** Why a node does not take a request, in the order in which it is asked. */
export type Unfit =
  | 'down' // it does not answer its health check, or is draining
  | 'key' // the chain does not let its key sign
  | 'uncovered' // no bond could ever cover what the request puts at risk
  | 'busy' // the bonds could, beside what is open now they cannot

/** A node and a mode in which it can answer. */
export type Candidate = {
  node: InferenceNode
  mode: Mode
  unfit: Unfit | undefined
  /** OPG base units; undefined where no amount buys it. */
  cost: bigint | undefined
}

const NO_BOND: Bond = { covered: 0n, open: 0n }

/** Everybody who offers the model, in every mode, and what speaks against each. Reads memory only. */
export function survey(
  context: Pick<Context, 'nodes' | 'standing' | 'committer'>,
  asked: Asked,
): Candidate[] {
  const { standing, committer } = context
  const gateway = standing.bond(committer) ?? NO_BOND
  const gatewayAtRisk = context.nodes.nodes.reduce((sum, node) => sum + node.atRisk, 0n)
  const quorumAtStake = standing.quorumAtStake()
  const exposure = exposureOf(asked)
  const candidates: Candidate[] = []
  for (const node of context.nodes.nodes) {
    const offer = node.offers.get(asked.model.name)
    if (offer === undefined || !answersAt(offer, asked.path)) continue
    if (asked.among.length > 0 && !asked.among.includes(node.operator)) continue
    const known = standing.bond(node.operator)
    const bond = known ?? NO_BOND
    // One bond that stands for both carries what is at risk twice.
    const share = node.operator === committer ? 2n : 1n
    const covered = smaller(gateway.covered, bond.covered) / share
    const nodeFree = larger(bond.covered - bond.open - share * node.atRisk, 0n) / share
    const gatewayFree = larger(gateway.covered - gateway.open - share * gatewayAtRisk, 0n) / share
    const unfit = ((): Unfit | undefined => {
      if (!node.healthy || node.draining || known === undefined) return 'down'
      if (offer.key !== undefined && node.badKeys.has(offer.key)) return 'key'
      if (exposure > covered) return 'uncovered'
      return exposure > smaller(nodeFree, gatewayFree) ? 'busy' : undefined
    })()
    for (const mode of offer.modes ?? asked.model.modes) {
      if (!isMode(mode)) continue
      const cost = costOfCorruption(mode, { nodeFree, gatewayFree, quorumAtStake })
      candidates.push({ node, mode, unfit, cost })
    }
  }
  return candidates
}

const answersAt = ({ paths }: Offer, path: string | undefined): boolean =>
  path === undefined || paths === undefined || paths.includes(path)

/** Paths at which anybody answers for a model; undefined where nobody says. */
export function pathsOffered(
  { nodes }: Pick<Context, 'nodes'>,
  { name }: Pick<NetworkModel, 'name'>,
): string[] | undefined {
  const stated = nodes.nodes.flatMap((node) => node.offers.get(name)?.paths ?? [])
  return stated.length === 0 ? undefined : [...new Set(stated)]
}

/** Modes in which anybody offers the model, the cheapest first; what the network says of it while nobody is known. */
export function modesOffered(candidates: readonly Candidate[], { model }: Pick<Asked, 'model'>): Mode[] {
  const named = candidates.length > 0 ? candidates.map(({ mode }) => mode as string) : model.modes
  return MODES.filter((mode) => named.includes(mode))
}

/** What the cheapest of them to corrupt costs, in words. */
export function weakest(candidates: readonly Candidate[]): string {
  const costs = candidates.flatMap(({ cost }) => (cost === undefined ? [] : [cost]))
  if (costs.length === 0) return 'no amount'
  return formatOpg(costs.reduce(smaller))
}
