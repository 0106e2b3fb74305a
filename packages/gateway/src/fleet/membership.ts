import { interruptRequests, leaveFleet, seeGateway } from '@assay/store'
import type { Context } from '../context.ts'
import { messageOf } from '../log.ts'

const BEAT_MS = 2000
/** Silence after which a gateway counts as dead, milliseconds: longer than any pause that is not a failure. */
const SILENCE_MS = 15_000

export type Membership = { leave(): Promise<void> }
type Parts = Pick<Context, 'database' | 'instance' | 'ledger' | 'log'>

/**
 * This process among those that share the database. Each says now and then that it lives, and ends what dead ones left
 * on its way: their last bytes never went out, whatever a node has signed for them since, and who was not served does
 * not pay. The embedded database has one process at a time, so whatever it finds there is a dead one's.
 */
export async function joinFleet(context: Parts): Promise<Membership> {
  const { database, instance, ledger, log } = context
  const alone = database.engine === 'pglite'

  async function beat(silenceMs: number): Promise<void> {
    await seeGateway(database, instance)
    for (const requestId of await interruptRequests(database, instance, silenceMs)) {
      ledger.release(requestId)
      log('request_interrupted', { requestId })
    }
  }
  await beat(alone ? 0 : SILENCE_MS)
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= beat(SILENCE_MS)
      .catch((error) => log('store_unavailable', { doing: 'heartbeat', why: messageOf(error) }))
      .finally(() => {
        running = undefined
      })
  }, BEAT_MS)
  timer.unref()
  if (alone) clearInterval(timer)
  return {
    async leave() {
      clearInterval(timer)
      await running
      await leaveFleet(database, instance).catch((error) => log('leave_failed', { why: messageOf(error) }))
    },
  }
}
