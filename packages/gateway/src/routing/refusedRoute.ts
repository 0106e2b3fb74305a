import { formatOpg } from '@assay/protocol'
import type { DialectError } from '../http/dialectError.ts'
import { type Asked, exposureOf } from './asked.ts'
import { type Candidate, modesOffered, weakest } from './survey.ts'

/**
 * Why no node takes a request: what was asked, what is offered, and what to change.
 * @param paths at which anybody answers for the model, where anybody says
 */
export function refusedRoute(
  asked: Asked,
  found: readonly Candidate[],
  paths: readonly string[] | undefined,
): DialectError {
  const { verification, model, path } = asked
  if (path !== undefined && paths?.includes(path) === false) {
    return {
      status: 400,
      type: 'invalid_request_error',
      code: 'unsupported_model',
      param: 'model',
      message: `The model \`${model.name}\` is not one for this path. It answers at ${paths.join(', ')}.`,
    }
  }
  const offered = modesOffered(found, asked)
  if (verification !== 'auto' && !offered.includes(verification)) {
    return {
      status: 400,
      type: 'invalid_request_error',
      code: 'unsupported_mode',
      message: `The model ${model.name} cannot be verified as asked (${verification}); it can be: auto, ${offered.join(', ')}.`,
    }
  }
  const asking = found.filter(({ mode }) => verification === 'auto' || mode === verification)
  const alive = asking.filter(({ unfit }) => unfit !== 'down' && unfit !== 'key')
  if (alive.length === 0) return nobody(asked, asking)
  const exposure = exposureOf(asked)
  const costs = offered
    .filter((mode) => verification === 'auto' || mode === verification)
    .map((mode) => `${mode} ${weakest(alive.filter((candidate) => candidate.mode === mode))}`)
  // What is reserved for open answers now may be free in a moment; what no bond reaches never is.
  if (alive.some(({ unfit }) => unfit === 'busy')) {
    return {
      status: 503,
      type: 'server_error',
      code: 'coverage_busy',
      message: `The request puts ${formatOpg(exposure)} at risk; beside open answers the bonds cover less right now. Nothing is charged; try again.`,
      headers: { 'retry-after': '5' },
    }
  }
  return {
    status: 400,
    type: 'invalid_request_error',
    code: 'value_at_risk_uncovered',
    message: `The request puts ${formatOpg(exposure)} at risk; the bonds of this gateway and its nodes do not cover that in the mode asked (${verification}). Cost of corruption: ${costs.join(', ')}. State a smaller \`x-assay-value-at-risk\`.`,
  }
}

function nobody({ verification, model, among }: Asked, asking: readonly Candidate[]): DialectError {
  const whose = among.length === 0 ? '' : ' of those that the grant names'
  const how = verification === 'auto' ? '' : ` with verification ${verification}`
  const keys = asking.filter(({ unfit }) => unfit === 'key').length
  const known =
    asking.length === 0
      ? ''
      : ` ${asking.length} known: ${asking.length - keys} down, ${keys} without a valid key.`
  return {
    status: 503,
    type: 'server_error',
    code: 'no_node',
    message: `No healthy inference node${whose} serves ${model.name}${how} right now.${known} Nothing is charged; try again.`,
    headers: { 'retry-after': '1' },
  }
}
