import { formatOpg } from '@assay/protocol'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'
import type { InferenceNode } from '../nodes/inferenceNode.ts'
import { type Asked, exposureOf } from './asked.ts'
import { chooseNode } from './chooseNode.ts'
import type { Mode } from './costOfCorruption.ts'
import { refusedRoute } from './refusedRoute.ts'
import { type Candidate, modesOffered, pathsOffered, survey, weakest } from './survey.ts'

/** On every answer: the choice and its reason. */
export const ROUTE_HEADER = 'x-assay-route'

/** How a request is to be answered. */
export type Route = {
  mode: Mode
  /** Where it goes first. */
  node: InferenceNode
  /** All that qualify; whoever is left takes it where the first one fails before the first byte. */
  candidates: readonly InferenceNode[]
  /** Why this mode, in words. */
  why: string
  /** What its receipt will put at risk at most, OPG base units. */
  exposure: bigint
  /** What its receipt must say is at risk, OPG base units; undefined where only its enclave can read that. */
  valueAtRisk: bigint | undefined
}

/**
 * Chooses mode and node (DESIGN §5): the mode that was asked, or under `auto` the cheapest whose cost of corruption exceeds
 * what is at risk; then among the nodes that qualify the one likely to answer first.
 * @throws RefusedError 400 for what can never be served, 503 for what cannot now, with what was asked and what is offered
 */
export function route(
  context: Pick<Context, 'nodes' | 'standing' | 'committer' | 'metrics'>,
  asked: Asked,
): Route {
  const found = survey(context, asked)
  const chosen = chooseMode(found, asked)
  const candidates = chosen?.fit.map(({ node }) => node) ?? []
  const node = chooseNode(candidates, performance.now())
  if (chosen === undefined || node === undefined) {
    const error = refusedRoute(asked, found, pathsOffered(context, asked.model))
    context.metrics.count('refused_total', error.code)
    throw new RefusedError(error)
  }
  const { mode, why } = chosen
  const { valueAtRisk } = asked
  return { mode, node, candidates, why, exposure: exposureOf(asked), valueAtRisk }
}

function chooseMode(
  found: readonly Candidate[],
  asked: Asked,
): { mode: Mode; fit: Candidate[]; why: string } | undefined {
  const exposure = exposureOf(asked)
  for (const mode of modesOffered(found, asked)) {
    if (asked.verification !== 'auto' && asked.verification !== mode) continue
    const able = found.filter((candidate) => candidate.mode === mode && candidate.unfit === undefined)
    const fit = asked.verification === 'auto' ? able.filter(({ cost }) => exceeds(cost, exposure)) : able
    if (fit.length === 0) continue
    if (asked.verification !== 'auto') return { mode, fit, why: 'asked for' }
    return {
      mode,
      fit,
      why: `cheapest whose cost of corruption (${weakest(fit)}) exceeds ${formatOpg(exposure)}`,
    }
  }
  return undefined
}

/** Strictly: who gains as much as he loses has no reason not to. */
function exceeds(cost: bigint | undefined, exposure: bigint): boolean {
  return cost === undefined || cost > exposure
}

/** The choice and its reason, as the response says it (RFC 9651 parameters): which node, mode, why, of how many, which try. */
export function describeRoute(
  { mode, candidates, why }: Pick<Route, 'mode' | 'candidates' | 'why'>,
  node: InferenceNode,
  attempt: number,
): string {
  return `node="${node.operator}"; mode=${mode}; why="${why}"; candidates=${candidates.length}; attempt=${attempt}`
}
