import type { Context } from '../context.ts'
import { duty } from '../fleet/duty.ts'
import type { BatchLimits } from '../limits.ts'
import { messageOf } from '../log.ts'
import { createTeller } from '../opengradient/tell.ts'
import { createAnswerer } from './answer.ts'
import { createBatchBuilder } from './batchBuilder.ts'
import { createCollector } from './collect.ts'
import { createFreezer } from './freeze.ts'
import { createPasser } from './passOn.ts'
import { createProofCollector } from './proofs.ts'
import { createRefunder } from './refund.ts'
import { createSettler } from './settle.ts'
import { createTracker } from './track.ts'

const TICK_MS = 250

export type Batcher = {
  /** One full look at database and chain; what it sends goes on in the background. */
  tick(): Promise<void>
  /** Resolves when nothing that was sent is still under way. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** Background work by name: at most one of each at a time, failures logged and left to the next tick. */
export type Jobs = {
  start(name: string, work: () => Promise<void>): void
  has(name: string): boolean
  /** How many run whose name starts with this. */
  running(prefix: string): number
}

/**
 * The reconciler behind the answers. Each tick compares what the database says should be on chain with what is, and
 * repeats what is missing; nothing is remembered between ticks that matters, so it may die at any point. Where several
 * gateways share the database, all of them freeze batches and collect payments, each what the others have not locked;
 * the rest is one gateway's duty at a time.
 */
export function startBatcher(context: Context, limits: BatchLimits): Batcher {
  const jobs = new Map<string, Promise<void>>()
  const registry: Jobs = {
    has: (name) => jobs.has(name),
    running: (prefix) => [...jobs.keys()].filter((name) => name.startsWith(prefix)).length,
    start(name, work) {
      if (jobs.has(name)) return
      const job = work()
        .catch((error) => {
          const kind = name.split(':')[0] ?? name
          context.metrics.count('chain_errors_total', kind)
          context.log('chain_error', { doing: name, why: messageOf(error) })
        })
        .finally(() => jobs.delete(name))
      jobs.set(name, job)
    },
  }
  const prove = duty(context, 'prove', () => createProofCollector(context, registry))
  const builder = createBatchBuilder()
  const freeze = createFreezer(context, limits, builder)
  const collect = createCollector(context, registry)
  const track = duty(context, 'track', (own) => createTracker(own, registry))
  const settle = duty(context, 'settle', () => createSettler(context, registry))
  const answer = duty(context, 'answer', (own) => createAnswerer(own, registry))
  const refund = duty(context, 'refund', () => createRefunder(context, registry))
  const passOn = duty(context, 'pass on', () => createPasser(context, registry))
  const tell = duty(context, 'tell', () => createTeller(context, registry))

  async function step(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      context.metrics.count('chain_errors_total', name)
      context.log('chain_error', { doing: name, why: messageOf(error) })
    }
  }
  async function tick(): Promise<void> {
    await step('prove', prove)
    await step('freeze', freeze)
    // Payments, commits and demands do not wait for each other.
    await Promise.all([step('collect', collect), step('track', track), step('answer', answer)])
    await step('settle', settle)
    await step('refund', refund)
    await step('pass on', passOn)
    await step('tell', tell)
  }

  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= tick().finally(() => {
      running = undefined
    })
  }, TICK_MS)
  timer.unref()
  return {
    async tick() {
      await running
      await tick()
    },
    async idle() {
      await running
      while (jobs.size > 0) await Promise.all(jobs.values())
    },
    async close() {
      clearInterval(timer)
      await running
      // What was sent is on chain or not whether we wait or not; five seconds are for the tidy case.
      const patience = new Promise<void>((resolve) => setTimeout(resolve, 5000).unref())
      await Promise.race([Promise.all(jobs.values()), patience])
      await builder.close()
    },
  }
}
