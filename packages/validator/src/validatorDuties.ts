import {
  AssayError,
  attestationDigest,
  type Deployment,
  keyVoteDigest,
  MAX_BATCH_FILE_BYTES,
  type SignedReceipt,
  signDigest,
} from '@assay/protocol'
import {
  BATCH_STATE,
  type BatchView,
  type ChainView,
  MAX_EVIDENCE_BYTES,
  verifyRegistration,
} from '@assay/verify'
import type { Address, Hex } from 'viem'
import { judgeBatch } from './judgeBatch.ts'
import type { SigningRecord } from './signingRecord.ts'
import type { BlockId, KeyProposal, ValidatorCall, ValidatorCalls, ValidatorChain } from './validatorChain.ts'

export type DutyContext = {
  deployment: Deployment
  teeRegistry: Address
  operator: Address
  privateKey: Hex
  chain: ValidatorChain
  calls: ValidatorCalls
  record: SigningRecord
  /** Sends and waits until it is mined. */
  send: (call: ValidatorCall) => Promise<void>
  /** @throws AssayError `unreachable` */
  fetch: (url: string, maxBytes: number) => Promise<Uint8Array>
  readView: (signed: SignedReceipt, blockNumber: bigint) => Promise<ChainView>
  log: (event: string, facts: Record<string, unknown>) => void
  /** Seconds this validator leaves to others before it does what anybody could. */
  courtesy: bigint
  /** Since when (chain time) such a call has been possible. */
  turns: Map<string, bigint>
}

/** 'settled': nothing will ever be left to do about it; 'waiting': look again. */
export type DutyOutcome = 'settled' | 'waiting'

/** A batch or proposal that nobody ends is given up after this, seconds. */
const GIVE_UP_BATCH_SECONDS = 86_400n
const GIVE_UP_PROPOSAL_SECONDS = 3_600n

function batchDataUrl(tillUrl: string, batchId: Hex): string {
  return `${tillUrl.replace(/\/+$/, '')}/v1/batches/${batchId}/data`
}

function wrongBytes(url: string, why: string): AssayError {
  return new AssayError('A server gave other bytes than those committed.', {
    code: 'unreachable',
    facts: { url, why },
  })
}

/** The verdict of the record, or a fresh one. No data, no verdict. @throws AssayError `unreachable` */
async function verdictOn(batch: BatchView, context: DutyContext): Promise<number> {
  const { deployment, chain, record } = context
  const known = record.attestationOf(deployment.deploymentId, batch.batchId)
  if (known !== undefined) return known.verdict
  const url = batchDataUrl(await chain.tillUrl(batch.committer), batch.batchId)
  const file = await context.fetch(url, MAX_BATCH_FILE_BYTES)
  const judgement = await judgeBatch({
    deployment,
    batch,
    file,
    read: (signed) => context.readView(signed, batch.committedBlock),
  })
  const { batchId, height } = batch
  const { verdict, reason } = judgement
  if (verdict === undefined) throw wrongBytes(url, reason)
  context.log('judged', { batchId, height, verdict, reason })
  return verdict
}

async function attest(batch: BatchView, context: DutyContext): Promise<void> {
  const { deployment, record, privateKey } = context
  const verdict = await verdictOn(batch, context)
  const { batchId, committer, height, root } = batch
  // Durable first, signed second: a crash between the two loses a signature, never the memory of one.
  record.admitAttestation({
    deploymentId: deployment.deploymentId,
    batchId,
    committer,
    height,
    root,
    verdict,
  })
  const statement = { batchId, root, registryBlock: batch.committedBlock, dataAvailable: true, verdict }
  const signature = await signDigest(attestationDigest(statement, deployment), privateKey)
  await context.send(context.calls.attest(batch, verdict, signature))
  context.log('attested', { batchId, verdict })
}

/** Sends what anybody could, once it is possible and the validators before this one had their turn. */
async function sendInTurn(call: ValidatorCall, now: bigint, context: DutyContext): Promise<void> {
  const { turns } = context
  const turn = `${call.functionName} ${call.args[0]}`
  if (!(await context.chain.wouldSucceed(call, context.operator))) {
    turns.delete(turn)
    return
  }
  const possibleSince = turns.get(turn) ?? now
  turns.set(turn, possibleSince)
  if (now < possibleSince + context.courtesy) return
  turns.delete(turn)
  await context.send(call)
  context.log(call.functionName, { subject: call.args[0] })
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
  const { chain, operator } = context
  const batch = await chain.batch(batchId)
  if (batch.state === BATCH_STATE.none) {
    // A rollback, or a provider that lags: its committer sends it again, so it is looked for again, less often.
    throw new AssayError('The chain does not hold this batch now.', { code: 'not_found', facts: { batchId } })
  }
  if (batch.state >= BATCH_STATE.final) return 'settled'
  const now = blocks.latest.timestamp
  if (now > batch.committedAt + GIVE_UP_BATCH_SECONDS) return 'settled'
  try {
    if (batch.committedBlock <= blocks.safe.number && !(await chain.hasAttested(batchId, operator))) {
      await attest(batch, context)
    }
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
  const [evidence, approvals, block] = await Promise.all([
    context.fetch(proposal.evidenceUri, MAX_EVIDENCE_BYTES),
    chain.approvals(registration),
    chain.block(proposal.block),
  ])
  const report = verifyRegistration({
    registrationId,
    registration,
    deployment,
    teeRegistry: context.teeRegistry,
    evidence,
    ...approvals,
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
  if ((await chain.keyValidFrom(registration.key)) !== 0n) return 'settled'
  const proposedAt = (await chain.block(proposal.block)).timestamp
  if (blocks.latest.timestamp > proposedAt + GIVE_UP_PROPOSAL_SECONDS) return 'settled'
  const valid = await voteOn(proposal, context)
  record.admitVote({ deploymentId: deployment.deploymentId, registrationId, valid })
  const signature = await signDigest(keyVoteDigest({ registrationId, valid }, deployment), context.privateKey)
  const call = context.calls.voteKey(registrationId, valid, signature)
  // A vote that was counted already reverts; then there is nothing to do but see the outcome.
  if (await chain.wouldSucceed(call, operator)) {
    await context.send(call)
    context.log('voted', { registrationId, valid })
  }
  return 'waiting'
}
