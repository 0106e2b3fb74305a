import { challengeIdOf, DATA_PART, entryAt, FAULT_CLASS, faultIdOf, zkFaultProof } from '@assay/protocol'
import { falseTape } from '@assay/verify'
import { collect } from './collect.ts'
import { attendDemand, missed } from './demandPart.ts'
import { end, type FaultContext, type FaultOutcome } from './faultContext.ts'
import { type FaultJob, type FaultPlan, freshSalt } from './faultJobs.ts'

type TapesPlan = Extract<FaultPlan, { kind: 'tapes' }>

/**
 * Class 4 about tapes: demands all that stand under no known root, at once, since a batch may end while one is waited for. What
 * nobody shows is the fault; what is shown is judged, and a gate that does not hold is a fault of class 2.
 */
export async function demandTapes(
  job: FaultJob,
  plan: TapesPlan,
  context: FaultContext,
): Promise<FaultOutcome> {
  const { places } = plan
  const found: Awaited<ReturnType<typeof attendDemand>>[] = []
  for (const index of places) found.push(await attendDemand(job, { part: DATA_PART.tape, index }, context))
  if (found.includes('waiting')) return 'waiting'
  if (!plan.judged) {
    for (const [at, index] of places.entries())
      if (found[at] === 'answered') await judgeShown(job, index, context)
    context.jobs.restart(job.faultId, { ...plan, judged: true })
    return 'waiting'
  }
  if (found.includes('withheld')) return collect(job, context)
  if (found.includes('answered')) return end(job, 'answered', context, { part: DATA_PART.tape })
  return missed(job, context)
}

/** Writes down what is wrong with a tape that was shown. */
async function judgeShown({ batchId }: FaultJob, index: bigint, context: FaultContext): Promise<void> {
  const { chain, jobs, memory, log } = context
  const faultId = faultIdOf(FAULT_CLASS.zk, batchId)
  const batch = memory.batchOf(batchId)
  if (batch === undefined || jobs.get(faultId) !== undefined) return
  const { entry } = entryAt(batch, Number(index))
  const words = await chain.shownTape(batchId, challengeIdOf(batchId, DATA_PART.tape, index))
  const step = falseTape(entry, words)
  if (step === undefined) return
  const reason = `A tape that was demanded fails in step ${step.gate}.`
  const plan = { kind: 'proof', proofs: [zkFaultProof(batch, entry, step)], salt: freshSalt() } as const
  jobs.add({ faultId, faultClass: FAULT_CLASS.zk, batchId, reason, plan })
  log('fault found', { faultId, faultClass: FAULT_CLASS.zk, batchId, reason })
}
