import { CHALLENGE_STATE, challengeIdOf } from '@assay/protocol'
import { collect } from './collect.ts'
import { end, type FaultContext, type FaultOutcome, step } from './faultContext.ts'
import type { FaultJob, FaultPlan } from './faultJobs.ts'

type DemandPlan = Extract<FaultPlan, { kind: 'demand' }>
type Demanded = Pick<DemandPlan, 'part' | 'index'>

/** Class 4: demands a part of the batch under a bond, and ends the challenge that nobody meets. */
export async function demandPart(
  job: FaultJob,
  { part, index }: DemandPlan,
  context: FaultContext,
): Promise<FaultOutcome> {
  const found = await attendDemand(job, { part, index }, context)
  switch (found) {
    case 'waiting':
      return 'waiting'
    case 'withheld':
      return collect(job, context)
    case 'missed':
      return missed(job, context)
    case 'answered':
      return end(job, 'answered', context, { part, index })
  }
}

/**
 * Does what is due about one demand.
 * @returns 'missed': it was too late to make it; 'withheld': nobody has met it, or one of the same batch
 */
export async function attendDemand(
  job: FaultJob,
  demanded: Demanded,
  context: FaultContext,
): Promise<'waiting' | 'withheld' | 'missed' | 'answered'> {
  const { chain, calls, operator } = context
  const challengeId = challengeIdOf(job.batchId, demanded.part, demanded.index)
  const [challenge, now] = await Promise.all([chain.challenge(challengeId), chain.latest()])
  switch (challenge.state) {
    case CHALLENGE_STATE.none:
      return openChallenge(job, demanded, context)
    case CHALLENGE_STATE.answered:
      return 'answered'
    case CHALLENGE_STATE.open: {
      step(job, 'demanded', context)
      if (now.timestamp < (await chain.challengeDeadline(challengeId))) return 'waiting'
      const call = calls.conclude(challengeId)
      if (await chain.wouldSucceed(call, operator)) await context.send(call)
      return 'waiting'
    }
    default: {
      const own = challenge.challenger.toLowerCase() === operator.toLowerCase()
      if (own && (await chain.bondCredit(operator)) > 0n) await context.send(calls.withdrawBond())
      return 'withheld'
    }
  }
}

async function openChallenge(
  job: FaultJob,
  { part, index }: Demanded,
  context: FaultContext,
): Promise<'waiting' | 'withheld' | 'missed'> {
  const { chain, calls, operator } = context
  const { batchId, faultId } = job
  if ((await chain.fault(faultId)).provenAt !== 0n) return 'withheld'
  const call = calls.demand(batchId, part, index)
  const refusal = await chain.refusalOf(call, operator)
  if (refusal !== undefined && TOO_LATE.has(refusal)) return 'missed'
  const [bond, balance, allowance] = await Promise.all([
    chain.bondFor(batchId),
    chain.balance(operator),
    chain.allowance(operator),
  ])
  if (balance < bond) {
    // Other bonds come back, and so may OPG from outside: as long as the batch is open there is time.
    step(job, 'unfunded', context, { bond, balance })
    return 'waiting'
  }
  if (allowance < bond) await context.send(calls.approveBond(bond))
  if (!(await chain.wouldSucceed(call, operator))) return 'waiting'
  await context.send(call)
  step(job, 'demanded', context)
  return 'waiting'
}

/** The end of a job that came too late. */
export function missed(job: FaultJob, context: FaultContext): FaultOutcome {
  const why = job.state === 'unfunded' ? 'too little OPG for the bond while it was time' : 'too late'
  return end(job, 'missed', context, { why })
}

/** DataChallenge refuses so what nobody can demand any more: the batch has ended, or its challenge window is over. */
const TOO_LATE: ReadonlySet<string> = new Set(['NotChallengeable', 'WindowClosed', 'NoSuchPart', 'NoFile'])
