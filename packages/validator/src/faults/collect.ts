import { faultCommitment } from '@assay/protocol'
import type { Address, Hex } from 'viem'
import { end, type FaultContext, type FaultOutcome, step } from './faultContext.ts'
import type { FaultJob } from './faultJobs.ts'

/** Attesters slashed in one transaction: far below what a block can bear. */
const PUNISHED_AT_ONCE = 16

/**
 * What follows a proven fault: its other victims are made whole, everybody who called the batch valid is slashed, the
 * proceeds are shared out and the bounty is withdrawn. Also of a fault that another proved: what its prover leaves
 * undone when the claims are closed, anybody may do, and nobody guilty must stay unpunished because one process died.
 */
export async function collect(job: FaultJob, context: FaultContext): Promise<FaultOutcome> {
  const { chain, calls, operator } = context
  const { faultId } = job
  const [proceeds, now] = await Promise.all([chain.proceeds(faultId), chain.latest()])
  const closed = now.timestamp >= proceeds.closesAt
  if (proceeds.prover.toLowerCase() !== operator.toLowerCase()) {
    if (!closed) {
      await takeOver(job, context)
      return 'waiting'
    }
    await punishAttesters(job, context)
    const { proven } = await chain.safely(faultId, operator)
    return proven ? end(job, 'outrun', context, { prover: proceeds.prover }) : 'waiting'
  }
  if (job.state !== 'executed') {
    step(job, 'proven', context)
    await claimForVictims(job, context)
    await punishAttesters(job, context)
    step(job, 'executed', context)
  }
  if (!closed) return 'waiting'
  if (proceeds.taken > proceeds.distributed) {
    await context.send(calls.distribute(faultId))
    return 'waiting'
  }
  if ((await chain.credit(operator)) > 0n) await context.send(calls.withdraw())
  // At an end only when no reorg can take it back: what has ended is not looked at again.
  const safe = await chain.safely(faultId, operator)
  const own = safe.prover.toLowerCase() === operator.toLowerCase()
  if (!safe.proven || !own || !safe.shared || safe.credit > 0n) return 'waiting'
  return end(job, 'collected', context, { bounty: proceeds.bounty })
}

/** Whoever announced first earns the bounty, also where another's proof was mined before. */
async function takeOver(job: FaultJob, context: FaultContext): Promise<void> {
  const { chain, calls, operator } = context
  if (job.plan.kind !== 'proof') return
  const { proofs, salt } = job.plan
  const [proof] = proofs as [Hex]
  const [announced, fault] = await Promise.all([
    chain.announcement(faultCommitment(operator, job.faultClass, proof, salt)),
    chain.fault(job.faultId),
  ])
  if (announced.block === 0n || announced.block >= fault.announcedBlock) return
  const call = calls.prove(job.faultClass, proof, salt)
  if (await chain.wouldSucceed(call, operator)) await context.send(call)
}

async function claimForVictims(
  { plan, faultClass, faultId }: FaultJob,
  context: FaultContext,
): Promise<void> {
  if (plan.kind !== 'proof') return
  for (const proof of plan.proofs.slice(1)) {
    const call = context.calls.claim(faultClass, proof)
    // Refused where its payer has nothing to get: it paid nothing, or was refunded already.
    if (!(await context.chain.wouldSucceed(call, context.operator))) continue
    await context.send(call)
    context.log('claimed for a payer', { faultId })
  }
}

/** Slashes everybody who called the batch of a proven fault valid and was not yet. */
export async function punishAttesters(
  { faultId }: Pick<FaultJob, 'faultId'>,
  context: FaultContext,
): Promise<void> {
  const { chain, calls } = context
  const fault = await chain.fault(faultId)
  if (!fault.attesters) return
  const guilty = await chain.attesters(fault.batchId)
  for (let from = 0; from < guilty.length; from += PUNISHED_AT_ONCE) {
    const some = guilty.slice(from, from + PUNISHED_AT_ONCE)
    const done = await Promise.all(some.map((validator: Address) => chain.punished(faultId, validator)))
    if (done.every(Boolean)) continue
    await context.send(calls.punish(faultId, from, from + some.length))
    context.log('attesters punished', { faultId, validators: some.filter((_, at) => !done[at]) })
  }
}
