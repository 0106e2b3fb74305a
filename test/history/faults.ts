import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../attempts/random.ts'
import type { History } from './history.ts'
import type { World } from './world.ts'

/** Longest pause or cut, milliseconds; one in eight lasts longer than the silence after which a gateway counts as dead. */
const LONG_MS = 20_000
const SHORT_MS = 3000
/** Rest between two faults of one line of them, milliseconds. */
const REST_MS = 3000
/** Blocks that a reorganisation replaces at most. */
const MAX_DEPTH = 3

export type Fault = 'pause' | 'kill gateway' | 'kill node' | 'cut' | 'database' | 'reorganisation'
const FAULTS: readonly Fault[] = [
  'pause',
  'kill gateway',
  'kill node',
  'cut',
  'cut',
  'database',
  'reorganisation',
]

/**
 * One fault after another until it is told to stop; everything it did is undone then. Two lines of faults run beside each
 * other, so that a gateway dies while another is cut off from its database.
 */
export async function injectFaults(
  world: World,
  random: Random,
  history: History,
  stopped: () => boolean,
): Promise<Map<Fault, number>> {
  const counts = new Map<Fault, number>()
  async function rest(milliseconds: number): Promise<void> {
    const until = Date.now() + milliseconds
    while (!stopped() && Date.now() < until) await delay(Math.min(100, until - Date.now() + 1))
  }
  const length = () => random.below(random.chance(1 / 8) ? LONG_MS : SHORT_MS)

  async function inject(fault: Fault): Promise<void> {
    switch (fault) {
      case 'pause': {
        const server = random.pick([...world.gateways, ...world.gateways, ...world.nodes])
        history.note(`${server.name} is paused`)
        server.pause()
        await rest(length())
        server.wake()
        history.note(`${server.name} wakes`)
        return
      }
      case 'kill gateway':
      case 'kill node': {
        const server = random.pick(fault === 'kill node' ? world.nodes : world.gateways)
        history.note(`${server.name} is killed`)
        server.kill()
        return
      }
      case 'cut': {
        const [name, wire] = random.pick([...world.wires])
        history.note(`the wire from ${name} is cut`)
        wire.cut()
        await rest(length())
        const how = random.pick(['resume', 'reset'] as const)
        wire.heal(how)
        history.note(`the wire from ${name} is whole again (${how})`)
        return
      }
      case 'database': {
        const how = random.pick(['fast', 'crash'] as const)
        history.note(`the database stops (${how})`)
        await world.postgres.stop(how)
        await rest(random.below(SHORT_MS))
        await world.postgres.start()
        history.note('the database is back')
        return
      }
      case 'reorganisation': {
        const depth = 1 + random.below(MAX_DEPTH)
        history.note(`the chain loses ${depth} blocks`)
        // Blocks of the same numbers take their places, without the transactions.
        await world.devnet.admin('anvil_reorg', [depth, []])
      }
    }
  }

  async function line(faults: readonly Fault[]): Promise<void> {
    while (!stopped()) {
      await rest(REST_MS / 2 + random.below(REST_MS))
      if (stopped()) return
      const fault = random.pick(faults)
      counts.set(fault, (counts.get(fault) ?? 0) + 1)
      await inject(fault)
    }
  }
  // The database stops in one line only: to stop it twice is no other fault.
  await Promise.all([line(FAULTS), line(FAULTS.filter((fault) => fault !== 'database'))])
  return counts
}
