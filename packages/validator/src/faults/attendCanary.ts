import {
  CANARY_STANCE,
  CANARY_STATE,
  FAULT_CLASS,
  faultCommitment,
  faultIdOf,
  VERDICT,
} from '@assay/protocol'
import { type Hex, zeroAddress } from 'viem'
import { punishAttesters } from './collect.ts'
import { end, type FaultContext, type FaultOutcome, step } from './faultContext.ts'
import type { FaultJob, FaultPlan } from './faultJobs.ts'

/** What a canary is false by, and is exempt from: what any validator can see in the file. */
const OF_CANARIES: ReadonlySet<number> = new Set([
  FAULT_CLASS.tee,
  FAULT_CLASS.zk,
  FAULT_CLASS.sum,
  FAULT_CLASS.row,
])

/**
 * What is due about a fault in a batch that may turn out to be false on purpose, or did: it is proven all the same, which
 * flags it; then its reveal is waited for. No fault is opened on a canary that was revealed, only its reward collected.
 * @returns undefined where the batch is judged like any other, and where nobody has flagged it yet
 */
export async function attendCanary(
  job: FaultJob,
  plan: Extract<FaultPlan, { kind: 'proof' }>,
  context: FaultContext,
): Promise<FaultOutcome | undefined> {
  if (!OF_CANARIES.has(job.faultClass)) return undefined
  const { stance, flagger } = await context.canaries.stance(job.batchId)
  if (stance === CANARY_STANCE.exempt) return collectReward(job, context)
  if (stance !== CANARY_STANCE.held || flagger === zeroAddress) return undefined
  if (flagger.toLowerCase() !== context.operator.toLowerCase()) await flagBefore(job, plan, context)
  step(job, 'held', context)
  return 'waiting'
}

/** Whoever announced first is the flagger, also where another's proof was mined before. */
async function flagBefore(
  { faultClass }: FaultJob,
  { proofs, salt }: Extract<FaultPlan, { kind: 'proof' }>,
  { chain, calls, operator, send }: FaultContext,
): Promise<void> {
  const [proof] = proofs as [Hex]
  const { block } = await chain.announcement(faultCommitment(operator, faultClass, proof, salt))
  const call = calls.prove(faultClass, proof, salt)
  if (block !== 0n && (await chain.wouldSucceed(call, operator))) await send(call)
}

/**
 * Of a canary that was revealed: the reward for whoever noticed, and the penalty of those who called it valid. Its job is
 * kept until nobody can show any more that real money was in it, for then it would be a fault like any other.
 */
async function collectReward(job: FaultJob, context: FaultContext): Promise<FaultOutcome> {
  const { canaries, canaryCalls, chain, calls, operator, send, log } = context
  const { batchId } = job
  const faultId = faultIdOf(FAULT_CLASS.canary, batchId)
  if ((await canaries.voice(batchId, operator)) === VERDICT.invalid) {
    const call = canaryCalls.rewardVoice(batchId, operator)
    if (await chain.wouldSucceed(call, operator)) await send(call)
  }
  await punishAttesters({ faultId }, context)
  const amount = await canaries.reward(operator)
  if (amount > 0n) {
    await send(canaryCalls.withdrawReward())
    log('canary rewarded', { batchId, amount })
  }
  const [proceeds, now, { state }, safe] = await Promise.all([
    chain.proceeds(faultId),
    chain.latest(),
    canaries.canary(batchId),
    canaries.canarySafely(batchId, operator),
  ])
  const shared = proceeds.taken === proceeds.distributed
  if (!shared && now.timestamp >= proceeds.closesAt) await send(calls.distribute(faultId))
  const settled =
    state === CANARY_STATE.closed || (await chain.wouldSucceed(canaryCalls.close(batchId), operator))
  const isSafe = safe.state === CANARY_STATE.revealed || safe.state === CANARY_STATE.closed
  if (!shared || !settled || !isSafe || safe.reward > 0n) return 'waiting'
  return end(job, 'canary', context)
}
