import { holdLease } from '@assay/store'
import type { Context } from '../context.ts'

/** How long a duty stays with the gateway that saw to it last, milliseconds. */
const LEASE_MS = 10_000
/** Age at which it is renewed, milliseconds. */
const RENEW_MS = 3000

/**
 * A duty that one gateway at a time sees to: what writes to the chain in an order, or would be done three times over. It
 * has no leader: whoever looks first has it until it stays away for ten seconds. That saves work and nothing else. A
 * gateway that was paused over its duty does, when it wakes, at most what the chain and the database refuse.
 * @param begin makes the step anew whenever the duty comes from another gateway, so that nothing stale is remembered; its
 *   gauges are 0 wherever the duty is another's, so that those of all gateways add up
 */
export function duty<Parts extends Pick<Context, 'database' | 'instance' | 'metrics'>>(
  context: Parts,
  name: string,
  begin: (own: Parts) => () => Promise<void>,
): () => Promise<void> {
  const { database, instance, metrics } = context
  let step: (() => Promise<void>) | undefined
  let renewedAt = Number.NEGATIVE_INFINITY
  const hasIt = (): boolean => database.engine === 'pglite' || performance.now() - renewedAt < LEASE_MS
  const own: Parts = {
    ...context,
    metrics: {
      ...metrics,
      gauge: (gauge, help, read) => metrics.gauge(gauge, help, () => (hasIt() ? read() : 0)),
    },
  }
  async function isOurs(): Promise<boolean> {
    if (database.engine === 'pglite') return true
    const now = performance.now()
    if (step !== undefined && now - renewedAt < RENEW_MS) return true
    const held = await holdLease(database, name, instance, LEASE_MS)
    // Another may have had it meanwhile.
    if (now - renewedAt > LEASE_MS) step = undefined
    renewedAt = held ? now : Number.NEGATIVE_INFINITY
    return held
  }
  return async () => {
    if (!(await isOurs())) {
      step = undefined
      return
    }
    step ??= begin(own)
    await step()
  }
}
