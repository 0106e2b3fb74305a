import { type Batch, parseBatchFile } from '@assay/protocol'
import {
  type BatchRow,
  batchFile,
  batchGroups,
  dissolveBatch,
  expireReceipts,
  reopenRecentBatches,
  setBatchState,
  watchedBatches,
} from '@assay/store'
import type { Hex } from 'viem'
import { CHAIN_BATCH, type ChainBatch } from '../chain/gatewayChain.ts'
import type { Context } from '../context.ts'
import type { Jobs } from './batcher.ts'
import { finaliseAndPay } from './settleRows.ts'
import { traceCommit } from './traceCommit.ts'

/** Newest batches that are looked at even when done: a reorganisation may have undone them. */
const RECENT = 16n
/** Looks that must agree before a batch is given up because a later height was committed. */
const SUPERSEDED_LOOKS = 8

/**
 * Moves every open batch along: commits what the chain does not know, notes what it says, finalises what is due, and
 * returns the receipts of what will never be final to the outbox.
 */
export function createTracker(context: Context, jobs: Jobs): () => Promise<void> {
  const { database, chain, committer, deployment, log, metrics } = context
  const supersededLooks = new Map<Hex, number>()
  let lastHead: bigint | undefined
  let open = 0
  metrics.gauge('open_batches', 'Batches that are not final and paid out.', () => open)

  async function note(row: BatchRow, state: BatchRow['state'], transactionHash?: Hex): Promise<void> {
    if (row.state === state && (transactionHash === undefined || row.transactionHash !== undefined)) return
    await setBatchState(database, row.batchId, state, transactionHash)
    if (row.state !== state) {
      metrics.count('batches_total', state)
      log(`batch_${state}`, { batchId: row.batchId, height: row.height })
    }
  }

  /** @param bad receipts that no batch may hold: they would void the next one as they did this */
  async function dissolve(row: BatchRow, state: 'void' | 'expired', bad: readonly Hex[] = []): Promise<void> {
    await database.transaction(async (transaction) => {
      await dissolveBatch(transaction, row.batchId, state)
      if (bad.length > 0) await expireReceipts(transaction, bad)
    })
    supersededLooks.delete(row.batchId)
    metrics.count('batches_total', state)
    log('batch_dissolved', { batchId: row.batchId, height: row.height, why: state })
  }

  /** Validators refused it, and each time they do it costs a fee: what they refuse in it must not come back. */
  async function dissolveRefused(row: BatchRow): Promise<void> {
    const bad = await chain.badReceipts(await parsed(row.batchId))
    await dissolve(row, 'void', [...bad.keys()])
    for (const [requestId, why] of bad) log('receipt_refused', { requestId, batchId: row.batchId, why })
  }

  /** Not on chain: never sent, not mined yet, or undone by a reorganisation. */
  async function commitAgain(row: BatchRow, lastHeight: bigint): Promise<void> {
    await note(row, 'frozen')
    if (jobs.has(`commit:${row.batchId}`)) return
    if (lastHeight >= row.height) {
      // A later height is in, so this one can never be. One look is not proof: two reads may come from two views.
      const looks = (supersededLooks.get(row.batchId) ?? 0) + 1
      supersededLooks.set(row.batchId, looks)
      if (looks >= SUPERSEDED_LOOKS) await dissolve(row, 'void')
      return
    }
    // Read before the job begins: heights are to reach the chain in their order, and reads do not end in theirs.
    const groups = await batchGroups(database, row.batchId)
    jobs.start(`commit:${row.batchId}`, async () => {
      const transactionHash = await traceCommit(context, row, () => chain.commit(row, groups))
      await note(row, 'committed', transactionHash)
    })
  }

  /** Anyone may take this step, so being refused because a validator was faster is no failure. */
  async function unlessMoved(
    batchId: Hex,
    from: ChainBatch['state'],
    take: (batchId: Hex) => Promise<Hex>,
  ): Promise<void> {
    try {
      await take(batchId)
    } catch (error) {
      const [now] = await chain.batches([batchId])
      if (now?.state === from) throw error
    }
  }

  async function parsed(batchId: Hex): Promise<Batch> {
    const file = await batchFile(database, batchId)
    if (file === undefined) throw new Error('The file of a batch is gone.')
    return parseBatchFile(file, deployment)
  }

  const finalise = async (batchId: Hex): Promise<Hex> => finaliseAndPay(context, await parsed(batchId))

  async function advance(
    row: BatchRow,
    seen: ChainBatch,
    now: bigint,
    lastHeight: bigint,
    timing: { challengeWindow: bigint; attestTimeout: bigint },
  ): Promise<void> {
    if (seen.state === CHAIN_BATCH.none) return commitAgain(row, lastHeight)
    supersededLooks.delete(row.batchId)
    const hash =
      row.transactionHash === undefined
        ? await chain.commitTransaction(row.batchId, seen.committedBlock)
        : undefined
    switch (seen.state) {
      case CHAIN_BATCH.committed:
        await note(row, 'committed', hash)
        if (now > seen.committedAt + timing.attestTimeout) {
          jobs.start(`expire:${row.batchId}`, () => unlessMoved(row.batchId, seen.state, chain.expire))
        }
        return
      case CHAIN_BATCH.attested:
        await note(row, 'attested', hash)
        if (seen.challenges === 0 && now >= seen.quorumAt + timing.challengeWindow) {
          jobs.start(`finalise:${row.batchId}`, () => unlessMoved(row.batchId, seen.state, finalise))
        }
        return
      case CHAIN_BATCH.final:
        return note(row, 'final', hash)
      case CHAIN_BATCH.void:
        return jobs.start(`dissolve:${row.batchId}`, () => dissolveRefused(row))
      case CHAIN_BATCH.expired:
        return dissolve(row, 'expired')
    }
  }

  return async () => {
    const head = await chain.head()
    // At the first look, and whenever the chain is shorter than it was, what was done may be undone.
    if (lastHead === undefined || head.number < lastHead) {
      await reopenRecentBatches(database, committer, RECENT)
      if (lastHead !== undefined) log('chain_rolled_back', { from: lastHead, to: head.number })
    }
    lastHead = head.number
    const rows = await watchedBatches(database, committer, RECENT)
    open = rows.filter((row) => row.state !== 'final' || !row.settled).length
    if (rows.length === 0) return
    // Read before the batches: a height that was passed already then, with a batch still unknown later, is passed for good.
    const lastHeight = await chain.lastHeight()
    const timing = await chain.timing()
    const seen = await chain.batches(rows.map((row) => row.batchId))
    // In height order, which is the order of nonces, which the contract insists on.
    for (const [at, row] of rows.entries()) {
      await advance(row, seen[at] as ChainBatch, head.timestamp, lastHeight, timing)
    }
  }
}
