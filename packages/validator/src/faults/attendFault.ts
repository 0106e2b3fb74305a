import { faultCommitment } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { attendCanary } from './attendCanary.ts'
import { collect } from './collect.ts'
import { demandPart } from './demandPart.ts'
import { demandTapes } from './demandTapes.ts'
import { end, type FaultContext, type FaultOutcome, step } from './faultContext.ts'
import { type FaultEnd, type FaultJob, type FaultPlan, freshSalt, hasEnded } from './faultJobs.ts'

/**
 * Does what is due about one fault. The chain says what is done already, by this validator or another; so it may be
 * killed at any point, started twice, or come too late.
 * @throws whatever the chain throws; the caller tries again later
 */
export async function attendFault(faultId: Hex, context: FaultContext): Promise<FaultOutcome> {
  const job = context.jobs.get(faultId)
  if (job === undefined || hasEnded(job)) return 'settled'
  const { plan } = job
  if (plan.kind === 'demand') return demandPart(job, plan, context)
  if (plan.kind === 'tapes') return demandTapes(job, plan, context)
  const fault = await context.chain.fault(faultId)
  const ofCanary = fault.provenAt === 0n ? await attendCanary(job, plan, context) : undefined
  if (ofCanary !== undefined) return ofCanary
  return fault.provenAt === 0n ? announceAndProve(job, plan, context) : collect(job, context)
}

type ProofPlan = Extract<FaultPlan, { kind: 'proof' }>

async function announceAndProve(
  job: FaultJob,
  plan: ProofPlan,
  context: FaultContext,
): Promise<FaultOutcome> {
  const { chain, calls, operator, jobs } = context
  const [proof] = plan.proofs as [Hex]
  const commitment = faultCommitment(operator, job.faultClass, proof, plan.salt)
  const [announced, now] = await Promise.all([chain.announcement(commitment), chain.latest()])
  if (announced.block === 0n) {
    // Asking costs nothing; what does not hold is never sent.
    const refusal = await objection(job, proof, context)
    if (refusal !== undefined) return end(job, refusal, context, { reason: job.reason })
    await context.send(calls.announce(commitment))
    step(job, 'announced', context)
    return 'waiting'
  }
  if (now.timestamp > announced.time + (await chain.announcementLife())) {
    jobs.restart(job.faultId, { ...plan, salt: freshSalt() })
    return 'waiting'
  }
  if (now.number <= announced.block) return 'waiting'
  const call = calls.prove(job.faultClass, proof, plan.salt)
  if (!(await chain.wouldSucceed(call, operator))) {
    const refusal = await objection(job, proof, context)
    return refusal === undefined ? 'waiting' : end(job, refusal, context, { reason: job.reason })
  }
  await context.send(call)
  step(job, 'proven', context)
  return 'waiting'
}

/** Why the proof is not to be shown; undefined where it holds. */
async function objection(job: FaultJob, proof: Hex, context: FaultContext): Promise<FaultEnd | undefined> {
  const finding = await context.chain.judge(job.faultClass, proof)
  if (finding === undefined) return 'refuted'
  const self = (account: Address) => account.toLowerCase() === context.operator.toLowerCase()
  if (self(finding.committer) || self(finding.node) || self(finding.validator)) return 'guilty'
  // Whoever called the batch valid pays for it, and proving one's own fault always loses.
  if (finding.attesters && (await context.chain.attesters(finding.batchId)).some(self)) return 'guilty'
  return undefined
}
