import { Worker } from 'node:worker_threads'
import type { buildBatch } from '@assay/protocol'
import type { FrozenBatch } from '@assay/store'

export type BuildParameters = Parameters<typeof buildBatch>[0]
/** What the thread is told. */
export type Order = BuildParameters | 'end'
/** What it answers. */
export type Built = { batch: FrozenBatch } | { failure: string }

export type BatchBuilder = {
  /** @throws Error for receipts that no batch can hold, and where the thread ended */
  build(parameters: BuildParameters): Promise<FrozenBatch>
  close(): Promise<void>
}

/**
 * Builds batches on a thread of its own, one at a time: the trees and the file of 256 receipts take tens of milliseconds,
 * in which no answer would go out. The thread starts with the first batch, and again after one that it did not survive.
 */
export function createBatchBuilder(): BatchBuilder {
  let thread: Worker | undefined
  function started(): Worker {
    const worker = new Worker(new URL('./freezeThread.ts', import.meta.url))
    worker.once('exit', () => {
      if (thread === worker) thread = undefined
    })
    return worker
  }

  return {
    async build(parameters) {
      thread ??= started()
      const built = await answerOf(thread, parameters)
      if ('failure' in built) throw new Error(built.failure)
      return built.batch
    },
    /** The thread ends by itself, after the batch that it is at (`store/src/embedded.ts` says why). */
    async close() {
      const worker = thread
      if (worker === undefined) return
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      worker.ref()
      worker.postMessage('end' satisfies Order)
      await ended
    },
  }
}

/** An idle thread keeps no process alive, one at work does. */
function answerOf(thread: Worker, parameters: BuildParameters): Promise<Built> {
  return new Promise<Built>((resolve, reject) => {
    const onExit = (): void => finish(() => reject(new Error('The thread that builds batches has ended.')))
    const onError = (error: unknown): void => finish(() => reject(error))
    const onMessage = (built: Built): void => finish(() => resolve(built))
    function finish(settle: () => void): void {
      thread.off('message', onMessage).off('error', onError).off('exit', onExit).unref()
      settle()
    }
    thread.on('message', onMessage).on('error', onError).on('exit', onExit).ref()
    thread.postMessage(parameters)
  })
}
