import { wrongBytes } from '@assay/chain'
import {
  type BatchEntry,
  DATA_PART,
  type Deployment,
  FAULT_CLASS,
  faultIdOf,
  MAX_BATCH_FILE_BYTES,
} from '@assay/protocol'
import { BATCH_STATE, type BatchView, type ChainView, foreignBytes } from '@assay/verify'
import type { Address, Hex } from 'viem'
import { type BatchJudgement, judgeBatch } from '../judgeBatch.ts'
import type { ValidatorChain, WatchedBatch } from '../validatorChain.ts'
import type { BatchMemory } from './batchMemory.ts'
import type { ReceiptMemory } from './equivocations.ts'
import { type FaultJobs, freshSalt } from './faultJobs.ts'
import { forcedFile } from './forcedBatch.ts'

export type WatchContext = {
  deployment: Deployment
  /** InferenceEscrow, part of every request id. */
  escrow: Address
  chain: ValidatorChain
  memory: BatchMemory
  jobs: FaultJobs
  /** @throws AssayError `unreachable` */
  fetch: (url: string, maxBytes: number) => Promise<Uint8Array>
  readView: (signed: BatchEntry, blockNumber: bigint) => Promise<ChainView>
  log: (event: string, facts: Record<string, unknown>) => void
}

/** What is said of committed bytes. */
export type Judgement = Extract<BatchJudgement, { reason: string; findings: unknown }>

/** How long a file may be late before it is demanded on chain: gateways restart, and a demand costs a bond. Seconds. */
const PATIENCE = { most: 600n, partOfTimeout: 6n }
/** Parts of one batch that are demanded, one after the other. */
const MAX_DEMANDS = 4n

/**
 * Fetches the file of a batch, judges it, and writes down what can be proven before anything else is done about it.
 * @throws AssayError `unreachable` without the committed bytes
 */
export async function searchBatch(batch: WatchedBatch, context: WatchContext): Promise<Judgement> {
  const { chain, memory } = context
  const { batchId, height } = batch
  const { forced } = batch
  const file =
    forced === undefined
      ? (memory.fileOf(batchId) ?? (await fetchFile(batch, context)))
      : forcedFile({ ...batch, forced }, context.deployment)
  // Remembered first: of two batches that contradict each other, the one judged later sees the other.
  memory.remember(batch, file)
  const judgement = await judgeBatch({
    deployment: context.deployment,
    escrow: context.escrow,
    batch,
    file,
    groups: () => chain.committedGroups(batch),
    read: (signed) => context.readView(signed, batch.committedBlock),
    memory: receiptMemory(context),
  })
  const { verdict, reason } = judgement
  if (verdict === undefined) throw new Error('unreachable: the bytes were compared before')
  context.log('judged', { batchId, height, verdict, reason })
  writeDown(judgement, batch, context)
  memory.setSearched(batchId)
  return judgement
}

async function fetchFile(batch: BatchView, context: WatchContext): Promise<Uint8Array> {
  const till = await context.chain.tillUrl(batch.committer)
  const url = `${till.replace(/\/+$/, '')}/v1/batches/${batch.batchId}/data`
  const file = await context.fetch(url, MAX_BATCH_FILE_BYTES)
  const why = foreignBytes(file, batch)
  if (why === undefined) return file
  throw wrongBytes(url, why)
}

function receiptMemory({ memory, chain }: WatchContext): ReceiptMemory {
  // Asked once for each other batch, however many calls the two share.
  const standing = new Map<Hex, Promise<boolean>>()
  const stands = (batchId: Hex) => {
    const known = standing.get(batchId) ?? chain.batch(batchId).then(counts)
    standing.set(batchId, known)
    return known
  }
  return {
    under: memory.under,
    async sameCall(batch, requestId) {
      for (const { batchId } of memory.withCall(batch, requestId)) {
        if (await stands(batchId)) return memory.batchOf(batchId)
      }
      return undefined
    },
  }
}

/** Neither void nor expired: its receipts are worth something, or will be. */
function counts({ state }: BatchView): boolean {
  return state !== BATCH_STATE.void && state !== BATCH_STATE.expired
}

function writeDown({ findings }: Judgement, batch: BatchView, context: WatchContext): void {
  const { jobs, log } = context
  for (const { faultClass, faultKey, batchId, reason, proofs } of findings.faults) {
    const faultId = faultIdOf(faultClass, faultKey)
    const plan = { kind: 'proof', proofs, salt: freshSalt() } as const
    if (jobs.add({ faultId, faultClass, batchId, reason, plan })) {
      log('fault found', { faultId, faultClass, batchId, reason, proofs: proofs.length })
    }
  }
  if (findings.unshown !== undefined && isOpen(batch)) {
    demand(batch, DATA_PART.receipt, findings.unshown, context)
  }
  if (findings.hidden !== undefined && isOpen(batch)) demandHidden(batch, findings.hidden, context)
}

/** Also where a chunk of the file was demanded before: by now there is nothing more to be had from that. */
function demandHidden({ batchId }: BatchView, places: readonly bigint[], { jobs, log }: WatchContext): void {
  const faultClass = FAULT_CLASS.data
  const faultId = faultIdOf(faultClass, batchId)
  const plan = { kind: 'tapes', places, judged: false } as const
  const reason = 'proofs whose tapes are not in the file'
  if (jobs.add({ faultId, faultClass, batchId, reason, plan })) {
    log('fault found', { faultId, faultClass, batchId, reason, places })
  } else if (jobs.get(faultId)?.plan.kind === 'demand') jobs.restart(faultId, plan)
}

/** Demands the file of a batch that was to be had from nobody for long enough. Call it after each failure. */
export async function demandLateFile(batch: BatchView, now: bigint, context: WatchContext): Promise<void> {
  if (!isOpen(batch) || !(await isLate(batch, now, context.chain))) return
  demand(batch, DATA_PART.chunk, 0n, context)
}

async function isLate(batch: BatchView, now: bigint, chain: ValidatorChain): Promise<boolean> {
  const { attestTimeout, challengeWindow } = await chain.windows()
  const share = attestTimeout / PATIENCE.partOfTimeout
  const patience = share < PATIENCE.most ? share : PATIENCE.most
  if (now >= batch.committedAt + patience) return true
  // Others say that they have it, and soon nobody can demand it any more.
  return batch.quorumAt !== 0n && now >= batch.quorumAt + challengeWindow / PATIENCE.partOfTimeout
}

/** What was shown on chain is shown for good, so the next part is demanded where the file still cannot be had. */
function demand({ batchId }: BatchView, part: number, index: bigint, { jobs, log }: WatchContext): void {
  const faultId = faultIdOf(FAULT_CLASS.data, batchId)
  const known = jobs.get(faultId)
  if (known === undefined) {
    const reason = part === DATA_PART.chunk ? 'the file is not to be had' : 'receipts that nobody shows'
    jobs.add({
      faultId,
      faultClass: FAULT_CLASS.data,
      batchId,
      reason,
      plan: { kind: 'demand', part, index },
    })
    log('fault found', { faultId, faultClass: FAULT_CLASS.data, batchId, reason, part, index })
  } else if (known.state === 'answered' && known.plan.kind === 'demand' && known.plan.part === part) {
    const next = known.plan.index + 1n
    if (next < index + MAX_DEMANDS) jobs.restart(faultId, { ...known.plan, index: next })
  }
}

function isOpen({ state }: BatchView): boolean {
  return state === BATCH_STATE.committed || state === BATCH_STATE.attested
}
