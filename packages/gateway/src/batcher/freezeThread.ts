/** The thread that turns receipts into batches, one after another. Started by `batchBuilder.ts`. */
import { parentPort } from 'node:worker_threads'
import { buildBatch } from '@assay/protocol'
import { frozenBatch } from '@assay/store'
import type { BuildParameters, Built, Order } from './batchBuilder.ts'

function build(parameters: BuildParameters): Built {
  try {
    return { batch: frozenBatch(buildBatch(parameters)) }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

parentPort?.on('message', (order: Order) => {
  if (order === 'end') parentPort?.close()
  else parentPort?.postMessage(build(order))
})
