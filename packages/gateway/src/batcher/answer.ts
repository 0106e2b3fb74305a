import { CHALLENGE_STATE, smaller } from '@assay/protocol'
import {
  batchFile,
  countOpenDemands,
  type DemandRow,
  dueDemands,
  endDemand,
  eventCursor,
  postponeDemand,
  recordDemands,
  reopenDemands,
  watchedBatches,
} from '@assay/store'
import type { Context } from '../context.ts'
import type { Jobs } from './batcher.ts'
import { createAnswers } from './dataAnswer.ts'

/** Answers under way at once: with blocks of a second, whatever one batch can hold open (255) is met in eight. */
const MAX_AT_ONCE = 32
/** Blocks read again after a start, or after the chain lost some. */
const REWIND = 64n
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 10_000

/**
 * Shows what is demanded of our batches, whatever became of them since: a challenge that nobody meets in time costs the
 * bond also where its batch is void or expired by then. The database holds every demand before it is answered; what the
 * chain says of it is read right before, so answering twice, after a crash or beside another gateway, changes nothing.
 */
export function createAnswerer(context: Context, jobs: Jobs): () => Promise<void> {
  const { database, chain, committer, deployment, metrics, log } = context
  const cursorName = `demands:${deployment.deploymentId}`
  const answerOf = createAnswers(deployment, async (batchId) => {
    const file = await batchFile(database, batchId)
    if (file === undefined) throw new Error('The file of a batch is gone.')
    return file
  })
  let lastHead: bigint | undefined
  let open = 0
  metrics.gauge('open_demands', 'Parts of batches that were demanded and not shown yet.', () => open)

  /** Where reading begins on a database that never read: at the oldest batch that can still be challenged. */
  async function firstBlock(head: bigint): Promise<bigint> {
    const rows = await watchedBatches(database, committer, 0n)
    const seen = await chain.batches(rows.map((row) => row.batchId))
    // 0 where the chain does not know the batch.
    const blocks = seen.map(({ committedBlock }) => committedBlock).filter((block) => block > 0n)
    return blocks.reduce(smaller, head)
  }

  async function readDemands(head: bigint): Promise<void> {
    let from = (await eventCursor(database, cursorName)) ?? (await firstBlock(head))
    if (lastHead === undefined || head < lastHead) {
      const known = from <= head ? from : head + 1n
      from = known > REWIND ? known - REWIND : 0n
      await reopenDemands(database, from)
    }
    if (from <= head) {
      const found = await chain.demands(from, head)
      const unknown = await database.transaction((transaction) =>
        recordDemands(transaction, { name: cursorName, block: head + 1n }, found),
      )
      for (const batchId of unknown) {
        // A batch of ours that this database does not hold: somebody has to bring the file back, and soon.
        if ((await chain.committerOf(batchId)) !== committer) continue
        metrics.count('data_demands_total', 'without_file')
        log('demand_without_file', { batchId })
      }
    }
    lastHead = head
  }

  async function end(demand: DemandRow, state: Parameters<typeof endDemand>[2], hash?: `0x${string}`) {
    const { challengeId, batchId, part, index } = demand
    await endDemand(database, challengeId, state, hash)
    metrics.count('data_demands_total', state)
    log(`demand_${state}`, { challengeId, batchId, part, index, transactionHash: hash })
  }

  async function meet(demand: DemandRow, now: bigint): Promise<void> {
    const { state, deadline } = await chain.challenge(demand.challengeId)
    if (state === CHALLENGE_STATE.none) return end(demand, 'gone')
    if (state === CHALLENGE_STATE.answered) return end(demand, 'answered')
    if (state === CHALLENGE_STATE.unanswered || now >= deadline) return end(demand, 'missed')
    await end(demand, 'answered', await chain.answer(demand.challengeId, await answerOf(demand)))
  }

  return async () => {
    const head = await chain.head()
    if (head.number !== lastHead) await readDemands(head.number)
    const due = await dueDemands(database, 2 * MAX_AT_ONCE)
    open = await countOpenDemands(database)
    for (const demand of due) {
      if (jobs.running('answer:') >= MAX_AT_ONCE) return
      jobs.start(`answer:${demand.challengeId}`, async () => {
        try {
          await meet(demand, head.timestamp)
        } catch (error) {
          const delay = Math.min(FIRST_RETRY_MS * 2 ** Math.min(demand.attempts, 16), LAST_RETRY_MS)
          await postponeDemand(database, demand.challengeId, delay)
          throw error
        }
      })
    }
  }
}
