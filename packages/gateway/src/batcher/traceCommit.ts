import { endSpan, isTracing, startSpan, traceparentOf } from '@assay/chain/tracing'
import { type BatchRow, tracesOfBatch } from '@assay/store'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'

/** Requests of one batch that get a span, and as many links as a span may have by default (OpenTelemetry SDK limits). */
const MAX_TRACES = 128

/**
 * Commits a batch under a span that is linked with the traces of its requests; each of those gets a span of the same
 * time, so that whoever looks at one call finds the batch that it came into.
 */
export async function traceCommit(
  { database }: Pick<Context, 'database'>,
  row: BatchRow,
  commit: () => Promise<Hex>,
): Promise<Hex> {
  if (!isTracing()) return commit()
  const traces = await tracesOfBatch(database, row.batchId, MAX_TRACES)
  const attributes = {
    'assay.batch_id': row.batchId,
    'assay.batch_height': Number(row.height),
    'assay.batch_receipts': Number(row.count),
  }
  const batch = startSpan('commit batch', { attributes, links: traces })
  const links = batch === undefined ? [] : [traceparentOf(batch)]
  const spans = [batch, ...traces.map((parent) => startSpan('in batch', { parent, attributes, links }))]
  try {
    const transactionHash = await commit()
    for (const span of spans) span?.setAttribute('assay.transaction_hash', transactionHash)
    for (const span of spans) endSpan(span)
    return transactionHash
  } catch (error) {
    for (const span of spans) endSpan(span, error)
    throw error
  }
}
