import { readInferRequest } from '@assay/protocol'
import type { Hex } from 'viem'
import type { ServedModel } from '../server/servedModel.ts'
import type { ProofStore } from './proofStore.ts'

/** Seconds for which contents and proofs are kept: longer than any batch may take a receipt. */
const KEEP_SECONDS = 172_800

export type Proving = {
  /** There is something new to prove. */
  wake: () => void
  /** Ends after the proof under way; the rest waits for the next start. */
  stop: () => Promise<void>
}

/**
 * Proves what was answered, oldest first, one proof at a time, behind all answers. The work stands in the store, so a
 * restart goes on where it ended.
 */
export function startProving(parameters: {
  models: readonly ServedModel[]
  store: ProofStore
  log: (event: string, facts: Record<string, unknown>) => void
}): Proving {
  const { store, log } = parameters
  const provers = new Map<Hex, NonNullable<ServedModel['engine']['prover']>>()
  for (const { modelId, engine } of parameters.models)
    if (engine.prover !== undefined) provers.set(modelId, engine.prover)
  let running: Promise<void> | undefined
  let stopped = false

  async function work(): Promise<void> {
    store.forget(Math.floor(Date.now() / 1000) - KEEP_SECONDS)
    for (let job = store.next([...provers.keys()]); job !== undefined && !stopped; ) {
      const { requestId, modelId, bodies } = job
      const started = performance.now()
      try {
        const prover = provers.get(modelId) as NonNullable<ReturnType<typeof provers.get>>
        const proven = await prover.prove(readInferRequest(bodies.request.body).input)
        store.prove(requestId, proven)
        log('proved', { requestId, bytes: proven.proof.length, ms: Math.round(performance.now() - started) })
      } catch (error) {
        // The thread ends with the process; whatever else happens would happen again.
        if (stopped) return
        store.fail(requestId)
        log('proof_failed', { requestId, reason: error instanceof Error ? error.message : String(error) })
      }
      job = store.next([...provers.keys()])
    }
  }

  const wake = (): void => {
    if (stopped || provers.size === 0) return
    running ??= work().finally(() => {
      running = undefined
    })
  }
  wake()
  return {
    wake,
    async stop() {
      stopped = true
      await running
    },
  }
}
