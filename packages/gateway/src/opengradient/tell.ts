import { parseBatchFile, proveInclusion } from '@assay/protocol'
import { settlementTree, teeSignatureHolds } from '@assay/protocol/opengradient'
import {
  type BatchedStatement,
  batchFile,
  dropStatements,
  findBatch,
  setStatementsTold,
  statementsOf,
  untoldBatches,
} from '@assay/store'
import type { Hex } from 'viem'
import type { Jobs } from '../batcher/batcher.ts'
import type { Context } from '../context.ts'
import type { FinalBatch } from './connectOpenGradient.ts'

const MAX_BATCHES_UNDER_WAY = 2
/** Seconds after its answer that a statement waits for its enclave to be listed. */
const LISTING_PATIENCE = 300

/**
 * Tells OpenGradient's readers, by the events of their format, what settled on Assay: of a final batch the tree over what
 * its enclaves said, and of each answer that asked for it an event of its own.
 */
export function createTeller(context: Context, jobs: Jobs): () => Promise<void> {
  const { database, chain, deployment, log } = context
  const { openGradient } = chain
  const { statements } = context
  if (openGradient === undefined || statements === undefined) return async () => undefined
  // Narrowed once, for the functions below.
  const telling = openGradient
  const kept = statements

  /** Those that hold, and whether others wait for their enclaves to be listed; what does not hold is dropped. */
  async function sound(all: readonly BatchedStatement[], keyOf: (id: Hex) => Hex) {
    const good: BatchedStatement[] = []
    const unlisted: BatchedStatement[] = []
    const bad: Hex[] = []
    for (const statement of all) {
      const tee = await telling.teeOf(keyOf(statement.requestId))
      const age = Date.now() / 1000 - statement.timestamp
      if (tee === undefined && age < LISTING_PATIENCE) unlisted.push(statement)
      else if (tee?.id === statement.teeId && (await teeSignatureHolds(statement, tee.publicKey)))
        good.push(statement)
      else bad.push(statement.requestId)
    }
    if (bad.length > 0) {
      await dropStatements(database, bad)
      log('statements_dropped', { requestIds: bad.join() })
    }
    return { good, unlisted }
  }

  async function note(
    told: readonly BatchedStatement[],
    batch: FinalBatch,
    transactionHash: Hex,
  ): Promise<void> {
    await setStatementsTold(
      database,
      told.map(({ requestId }) => requestId),
      transactionHash,
    )
    log('statements_told', { batchId: batch.batchId, count: told.length, transactionHash })
    for (const { requestId } of told) kept.told(requestId, { transactionHash, dataHash: batch.dataHash })
  }

  async function tell(batchId: Hex): Promise<void> {
    const row = await findBatch(database, batchId)
    const file = await batchFile(database, batchId)
    if (row === undefined || file === undefined) throw new Error('The batch is gone.')
    const parsed = parseBatchFile(file, deployment)
    const keyOf = (requestId: Hex): Hex => proveInclusion(parsed, requestId).entry.receipt.key
    const all = await statementsOf(database, batchId)
    const untold = all.filter(({ transactionHash }) => transactionHash === undefined)
    const { good, unlisted } = await sound(untold, keyOf)
    const batch = { batchId, dataHash: row.dataHash }
    const together = good.filter(({ settlement }) => settlement === 'batch')

    async function tellTogether(): Promise<void> {
      // The tree is told once: it waits until nobody is left who may belong into it.
      if (unlisted.some(({ settlement }) => settlement === 'batch')) return
      if (together.length === 0) return
      const { root } = settlementTree(together)
      await note(together, batch, await telling.tellBatch(batch, root, together.length))
    }
    async function tellAlone(statement: BatchedStatement): Promise<void> {
      const { entry, ...path } = proveInclusion(parsed, statement.requestId)
      await note([statement], batch, await telling.tellAnswer(batch, { entry, path, statement }))
    }
    const alone = good.filter(({ settlement }) => settlement === 'individual')
    // What cannot be told keeps nothing else waiting: its caller alone goes without a hash.
    const told = await Promise.allSettled([tellTogether(), ...alone.map(tellAlone)])
    for (const part of told) if (part.status === 'rejected') throw part.reason
  }

  /** Where the last look ended. The next begins behind it, so that batches which cannot be told of keep no others waiting. */
  let behind: Hex | undefined
  return async () => {
    const free = MAX_BATCHES_UNDER_WAY - jobs.running('tell:')
    if (free <= 0) return
    const found = await untoldBatches(database, free, behind)
    // At the end of the line it begins anew.
    behind = found.length < free ? undefined : found.at(-1)
    for (const batchId of found) jobs.start(`tell:${batchId}`, () => tell(batchId))
  }
}
