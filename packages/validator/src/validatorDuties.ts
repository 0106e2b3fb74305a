import { wrongBytes } from '@assay/chain'
import { AssayError, attestationDigest, keyVoteDigest, MAX_EVIDENCE_BYTES, signDigest } from '@assay/protocol'
import { BATCH_STATE, type BatchView, registrationReads, verifyRegistration } from '@assay/verify'
import { type Address, type Hex, parseEther } from 'viem'
import { deliverVoice, deliveryTurn } from './deliverVoice.ts'
import { demandLateFile, type Judgement, searchBatch, type WatchContext } from './faults/watchBatch.ts'
import type { SigningRecord } from './signingRecord.ts'
import type { BlockId, KeyProposal, ValidatorCall, ValidatorCalls, WatchedBatch } from './validatorChain.ts'
import type { Voices } from './voices.ts'

export type DutyContext = WatchContext & {
  teeRegistry: Address
  operator: Address
  privateKey: Hex
  calls: ValidatorCalls
  record: SigningRecord
  /** Sends and waits until it is mined. */
  send: (call: ValidatorCall) => Promise<void>
  /** Seconds this validator leaves to others before it does what anybody could. */
  courtesy: bigint
  /** Since when (chain time) such a call has been possible. */
  turns: Map<string, bigint>
  voices: Voices
}

/** 'settled': nothing will ever be left to do about it; 'waiting': look again. */
export type DutyOutcome = 'settled' | 'waiting'

/** A batch or proposal that nobody ends is given up after this, seconds. */
const GIVE_UP_BATCH_SECONDS = 86_400n
const GIVE_UP_PROPOSAL_SECONDS = 3_600n
/** As long as stake that stood at a commit answers for it: UNBONDING of a production network. */
export const LIABILITY_SECONDS = 864_000n
/** Rewards that are handed over, OPG base units: a hundred times what the gas costs on Base, at a guess. */
const LEAST_REWARDS = parseEther('1')
/** Seconds between two looks at them. */
const LOOK_SECONDS = 30n
const NEXT_LOOK = 'next look at rewards'
/** The file of a batch that has ended is looked for until then. */
const LOST_FILE_SECONDS = 600n

async function attest(batch: BatchView, verdict: number, now: bigint, context: DutyContext): Promise<void> {
  const { deployment, record, privateKey } = context
  const { batchId, committer, height, root } = batch
  // Durable first, signed second: a crash between the two loses a signature, never the memory of one.
  record.admitAttestation(
    { deploymentId: deployment.deploymentId, batchId, committer, height, root, verdict },
    batch.committedBlock,
  )
  const statement = { batchId, root, registryBlock: batch.committedBlock, dataAvailable: true, verdict }
  const digest = attestationDigest(statement, deployment)
  await deliverVoice(
    batch,
    { verdict, digest, signature: await signDigest(digest, privateKey) },
    now,
    context,
  )
}

/**
 * Says what is on record, or else judges the batch and says what comes of it. No data, no verdict; but a demand for it.
 * @throws AssayError `unreachable`
 */
async function judgeAndAttest(batch: WatchedBatch, now: bigint, context: DutyContext): Promise<void> {
  const { deployment, chain, memory, record, operator } = context
  const known = record.attestationOf(deployment.deploymentId, batch.batchId)
  const silent = !(await chain.hasAttested(batch.batchId, operator))
  if (known !== undefined && silent) await attest(batch, known.verdict, now, context)
  if (!silent) context.turns.delete(deliveryTurn(batch.batchId))
  const due = known === undefined && silent
  if (memory.isSearched(batch.batchId) && !due) return
  let judgement: Judgement
  try {
    judgement = await searchBatch(batch, context)
  } catch (error) {
    if (error instanceof AssayError && error.code === 'unreachable') await demandLateFile(batch, now, context)
    throw error
  }
  if (due) await attest(batch, judgement.verdict, now, context)
}

/** A batch that came to an end unseen: whoever called it valid answers for it all the same. */
async function searchEnded(batch: WatchedBatch, now: bigint, context: DutyContext): Promise<DutyOutcome> {
  const { batchId, committedAt } = batch
  if (context.memory.isSearched(batchId) || now > committedAt + LIABILITY_SECONDS) return 'settled'
  try {
    await searchBatch(batch, context)
  } catch (error) {
    const lost = error instanceof AssayError && error.code === 'unreachable'
    if (!lost || now < committedAt + LOST_FILE_SECONDS) throw error
    context.log('file lost', { batchId })
  }
  return 'settled'
}

/**
 * Hands staking the validators' part of what was earned, once it is worth the gas: nobody is paid before somebody does.
 * @returns never 'settled': there is always a next time
 */
export async function attendRewards(now: bigint, context: DutyContext): Promise<DutyOutcome> {
  const { turns, chain, calls } = context
  if (now < (turns.get(NEXT_LOOK) ?? 0n)) return 'waiting'
  const call = calls.payValidators()
  if ((await chain.rewardsPending()) >= LEAST_REWARDS) {
    await sendInTurn(call, now, context)
    // A turn that has begun is waited for without pause.
    if (turns.has(turnOf(call))) return 'waiting'
  }
  turns.set(NEXT_LOOK, now + LOOK_SECONDS)
  return 'waiting'
}

function turnOf({ functionName, args }: ValidatorCall): string {
  const [subject = ''] = args as readonly unknown[]
  return `${functionName} ${String(subject)}`
}

/** Sends what anybody could, once it is possible and the validators before this one had their turn. */
async function sendInTurn(call: ValidatorCall, now: bigint, context: DutyContext): Promise<void> {
  const { turns } = context
  const turn = turnOf(call)
  if (!(await context.chain.wouldSucceed(call, context.operator))) {
    turns.delete(turn)
    return
  }
  const possibleSince = turns.get(turn) ?? now
  turns.set(turn, possibleSince)
  if (now < possibleSince + context.courtesy) return
  turns.delete(turn)
  await context.send(call)
  const [subject] = call.args as readonly unknown[]
  context.log(call.functionName, { subject })
}

/**
 * Does what is due about one batch: attest it once it is safe, finalise or expire it when its time has come. Compares
 * with the chain every time and repeats what is missing, so that a lost transaction or a rolled back chain heals.
 * @throws whatever the chain or a fetch throws; the caller tries again later
 */
export async function attendBatch(
  batchId: Hex,
  blocks: { safe: BlockId; latest: BlockId },
  context: DutyContext,
): Promise<DutyOutcome> {
  const batch = await context.chain.batch(batchId)
  if (batch.state === BATCH_STATE.none) {
    // A rollback, or a provider that lags: its committer sends it again, so it is looked for again, less often.
    throw new AssayError('The chain does not hold this batch now.', { code: 'not_found', facts: { batchId } })
  }
  const now = blocks.latest.timestamp
  const safe = batch.committedBlock <= blocks.safe.number
  if (batch.state >= BATCH_STATE.final) return safe ? searchEnded(batch, now, context) : 'waiting'
  if (now > batch.committedAt + GIVE_UP_BATCH_SECONDS) return 'settled'
  try {
    if (safe) await judgeAndAttest(batch, now, context)
  } finally {
    // Whether or not this validator could speak, the clock of the batch goes on.
    if (batch.state === BATCH_STATE.committed) {
      await sendInTurn(context.calls.expire(batchId), now, context)
    } else {
      await sendInTurn(context.calls.finalise(batchId), now, context)
    }
  }
  return 'waiting'
}

/** The vote of the record, or a fresh one. @throws AssayError `unreachable` */
async function voteOn(proposal: KeyProposal, context: DutyContext): Promise<boolean> {
  const { chain, deployment, record } = context
  const { registrationId, registration } = proposal
  const known = record.voteOf(deployment.deploymentId, registrationId)
  if (known !== undefined) return known
  const [evidence, approvals, block, attestedAt] = await Promise.all([
    context.fetch(proposal.evidenceUri, MAX_EVIDENCE_BYTES),
    chain.approvals(registration),
    chain.block(proposal.block),
    chain.attestedAt(registration.key),
  ])
  const reads = registrationReads(evidence)
  const [rules, anchor] = await Promise.all([
    chain.rules(registration.hardwareType, reads?.rules ?? [], block.timestamp),
    reads === undefined ? null : chain.anchor(reads.anchorBlock, proposal.block),
  ])
  const report = verifyRegistration({
    registrationId,
    registration,
    deployment,
    teeRegistry: context.teeRegistry,
    evidence,
    ...approvals,
    rules,
    anchor,
    attestedAt,
    now: block.timestamp,
  })
  const { verdict, code, reason } = report
  if (verdict === 'unknown') throw wrongBytes(proposal.evidenceUri, reason)
  context.log('judged key', { registrationId, key: registration.key, verdict, code, reason })
  return verdict === 'valid'
}

/** Checks one proposed key and votes, once its proposal is safe. @throws as `attendBatch` does */
export async function attendProposal(
  proposal: KeyProposal,
  blocks: { safe: BlockId; latest: BlockId },
  context: DutyContext,
): Promise<DutyOutcome> {
  const { chain, deployment, record, operator } = context
  const { registrationId, registration } = proposal
  const proposedAt = (await chain.block(proposal.block)).timestamp
  // Admitted or renewed by this proposal or a later one: another vote would change nothing.
  if ((await chain.attestedAt(registration.key)) >= proposedAt) return 'settled'
  if (blocks.latest.timestamp > proposedAt + GIVE_UP_PROPOSAL_SECONDS) return 'settled'
  const valid = await voteOn(proposal, context)
  record.admitVote({ deploymentId: deployment.deploymentId, registrationId, valid }, proposal.block)
  const signature = await signDigest(keyVoteDigest({ registrationId, valid }, deployment), context.privateKey)
  const call = context.calls.voteKey(registrationId, valid, signature)
  // A vote that was counted already reverts; then there is nothing to do but see the outcome.
  if (await chain.wouldSucceed(call, operator)) {
    await context.send(call)
    context.log('voted', { registrationId, valid })
  }
  return 'waiting'
}
