import { CHALLENGE_STATE, challengeIdOf } from '@assay/protocol'
import { collect } from './collect.ts'
import { end, type FaultContext, type FaultOutcome, step } from './faultContext.ts'
import type { FaultJob, FaultPlan } from './faultJobs.ts'

type DemandPlan = Extract<FaultPlan, { kind: 'demand' }>

/** Class 4: demands a part of the batch under a bond, and ends the challenge that nobody meets. */
export async function demandPart(
  job: FaultJob,
  plan: DemandPlan,
  context: FaultContext,
): Promise<FaultOutcome> {
  const { chain, calls, operator } = context
  const challengeId = challengeIdOf(job.batchId, plan.part, plan.index)
  const [challenge, now] = await Promise.all([chain.challenge(challengeId), chain.latest()])
  const own = challenge.challenger.toLowerCase() === operator.toLowerCase()
  switch (challenge.state) {
    case CHALLENGE_STATE.none:
      return openChallenge(job, plan, context)
    case CHALLENGE_STATE.answered:
      return end(job, 'answered', context, { own, part: plan.part, index: plan.index })
    case CHALLENGE_STATE.open: {
      step(job, 'demanded', context)
      if (now.timestamp < (await chain.challengeDeadline(challengeId))) return 'waiting'
      const call = calls.conclude(challengeId)
      if (await chain.wouldSucceed(call, operator)) await context.send(call)
      return 'waiting'
    }
    default:
      if (own && (await chain.bondCredit(operator)) > 0n) await context.send(calls.withdrawBond())
      return collect(job, context)
  }
}

async function openChallenge(job: FaultJob, plan: DemandPlan, context: FaultContext): Promise<FaultOutcome> {
  const { chain, calls, operator } = context
  const { batchId, faultId } = job
  if ((await chain.fault(faultId)).provenAt !== 0n) return collect(job, context)
  const call = calls.demand(batchId, plan.part, plan.index)
  const refusal = await chain.refusalOf(call, operator)
  if (refusal !== undefined && TOO_LATE.has(refusal)) {
    const why = job.state === 'unfunded' ? 'too little OPG for the bond while it was time' : 'too late'
    return end(job, 'missed', context, { why })
  }
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

/** DataChallenge refuses so what nobody can demand any more: the batch has ended, or its challenge window is over. */
const TOO_LATE: ReadonlySet<string> = new Set(['NotChallengeable', 'WindowClosed', 'NoSuchPart', 'NoFile'])
