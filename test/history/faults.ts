import { setTimeout as delay } from 'node:timers/promises'
import { publicClientOf } from '@assay/chain'
import { AssayError } from '@assay/protocol'
import { BlockNotFoundError } from 'viem'
import type { Random } from '../attempts/random.ts'
import type { History } from './history.ts'
import type { Server } from './server.ts'
import type { World } from './world.ts'

/** Blocks that a reorganisation replaces at most. */
const MAX_DEPTH = 3
/** The devnet's default. */
const BLOCK_SECONDS = 1
/** A gateway that is silent for longer counts as dead (`fleet/membership.ts`), milliseconds, and how much longer it is. */
const SILENCE_MS = 15_000
const LONGER_MS = 5000
/** How long each piece of what a gateway and a slow database say to each other takes on its way, milliseconds. */
const SLOW_MS = { least: 20, most: 500 } as const

const FAULTS = [
  'gateway paused',
  'gateway silent for over 15 s',
  'node paused',
  'gateway killed',
  'node killed',
  'gateway cut from database',
  'database slow',
  'gateway cut from node',
  'gateway cut from chain',
  'database restarted',
  'database crashed',
  'chain reorganised',
] as const
export type Fault = (typeof FAULTS)[number]

export type Pace = {
  /** Rest between two faults of one line of them, milliseconds. */
  restMs: number
  /** Longest pause or cut, milliseconds. */
  longestMs: number
  /** Faults that are left out. */
  without?: readonly Fault[] | undefined
}
export const CAMPAIGN_PACE: Pace = { restMs: 2000, longestMs: 4000 }

export type Faults = {
  /** How often each has happened, those that have not among them. */
  counts: ReadonlyMap<Fault, number>
  /** Whether every kind has happened. @throws what ended a line of them */
  isComplete(): boolean
  /** Ends them; everything they did is undone then. */
  stop(): Promise<void>
}

/**
 * One fault after another. Two lines of them run beside each other, so that a gateway dies while another is cut off from its
 * database; each goes through all kinds in an order of its own before it begins again. A fault is counted once it was seen
 * to take hold: a process that ran was hit, a connection waited, blocks were replaced.
 */
export function injectFaults(world: World, random: Random, history: History, pace: Pace): Faults {
  const kinds = FAULTS.filter((fault) => !pace.without?.includes(fault))
  const counts = new Map<Fault, number>(kinds.map((fault) => [fault, 0]))
  const chain = publicClientOf(world.network)
  let stopped = false

  async function rest(milliseconds: number): Promise<void> {
    const until = Date.now() + milliseconds
    while (!stopped && Date.now() < until) await delay(Math.min(100, until - Date.now() + 1))
  }
  const length = () => random.below(pace.longestMs)

  async function pause(server: Server, milliseconds: number): Promise<boolean> {
    const hit = server.pause()
    history.note(`${server.name} is paused`)
    await rest(milliseconds)
    server.wake()
    history.note(`${server.name} wakes`)
    return hit
  }
  function kill(server: Server): boolean {
    history.note(`${server.name} is killed`)
    return server.kill()
  }
  async function cut(from: 'database' | 'node' | 'chain'): Promise<boolean> {
    const all = world.wires.filter(({ to }) => to === from)
    const used = all.filter(({ wire }) => wire.isUsed())
    const { name, wire } = random.pick(used.length > 0 ? used : all)
    history.note(`the wire from ${name} is cut`)
    wire.cut()
    await rest(length())
    const how = random.pick(['resume', 'reset'] as const)
    const waited = wire.heal(how)
    history.note(`the wire from ${name} is whole again (${how})`)
    return waited > 0
  }
  /** For all gateways, or for one. */
  async function slowDatabase(): Promise<boolean> {
    const all = world.wires.filter(({ to }) => to === 'database')
    const slow = random.chance(0.5) ? all : [random.pick(all)]
    const delayMs = SLOW_MS.least + random.below(SLOW_MS.most - SLOW_MS.least)
    history.note(`the database is ${delayMs} ms slower, ${slow.map(({ name }) => name).join(', ')}`)
    for (const { wire } of slow) wire.slow(delayMs)
    await rest(2 * length())
    const slowed = slow.map(({ wire }) => wire.quicken())
    history.note('the database is quick again')
    return slowed.some((pieces) => pieces > 0)
  }
  async function stopDatabase(how: 'fast' | 'crash'): Promise<boolean> {
    history.note(`the database stops (${how})`)
    await world.postgres.stop(how)
    await rest(length())
    await world.postgres.start()
    history.note('the database is back')
    return true
  }
  /**
   * With no block under way: anvil, told to reorganise while it mines, may keep blocks whose effects are gone, and their
   * transactions then stand in the chain twice, or beside others of the same nonce.
   */
  async function betweenBlocks(work: () => Promise<unknown>): Promise<void> {
    const { admin } = world.devnet
    try {
      await admin('evm_setIntervalMining', [0])
      // Waits for the block that is under way, which the line above does not.
      await admin('evm_mine', [])
      await work()
    } finally {
      await admin('evm_setIntervalMining', [BLOCK_SECONDS])
    }
  }
  async function reorganise(): Promise<boolean> {
    const depth = 1 + random.below(MAX_DEPTH)
    const { number, hash } = await chain.getBlock()
    history.note(`the chain loses ${depth} blocks`)
    // Blocks of the same numbers take their places, without the transactions.
    try {
      await betweenBlocks(() => world.devnet.admin('anvil_reorg', [depth, []]))
    } catch (error) {
      // It has too much to do, or no longer has the state of that block: no such fault then, and the campaign goes on.
      if (!(error instanceof AssayError)) throw error
      history.note('the chain keeps its blocks')
      return false
    }
    // For a moment there may be no block of that number at all.
    const now = await chain.getBlock({ blockNumber: number }).catch((error: unknown) => {
      if (error instanceof BlockNotFoundError) return undefined
      throw error
    })
    return now?.hash !== hash
  }

  function inject(fault: Fault): Promise<boolean> | boolean {
    switch (fault) {
      case 'gateway paused':
        return pause(random.pick(world.gateways), length())
      case 'gateway silent for over 15 s':
        return pause(random.pick(world.gateways), SILENCE_MS + random.below(LONGER_MS))
      case 'node paused':
        return pause(random.pick(world.nodes), length())
      case 'gateway killed':
        return kill(random.pick(world.gateways))
      case 'node killed':
        return kill(random.pick(world.nodes))
      case 'gateway cut from database':
        return cut('database')
      case 'database slow':
        return slowDatabase()
      case 'gateway cut from node':
        return cut('node')
      case 'gateway cut from chain':
        return cut('chain')
      case 'database restarted':
        return stopDatabase('fast')
      case 'database crashed':
        return stopDatabase('crash')
      case 'chain reorganised':
        return reorganise()
    }
  }

  async function line(faults: readonly Fault[]): Promise<void> {
    let left: Fault[] = []
    while (!stopped) {
      await rest(pace.restMs / 2 + random.below(pace.restMs))
      if (stopped) return
      if (left.length === 0) left = [...faults]
      const [fault] = left.splice(random.below(left.length), 1) as [Fault]
      if (await inject(fault)) counts.set(fault, (counts.get(fault) ?? 0) + 1)
    }
  }
  // The database stops, and is slow, in one line only: to stop it twice is no other fault.
  const lines = Promise.all([line(kinds), line(kinds.filter((fault) => !fault.startsWith('database')))])
  let failure: unknown
  lines.catch((error: unknown) => {
    failure = error
  })
  return {
    counts,
    isComplete() {
      if (failure !== undefined) throw failure
      return [...counts.values()].every((count) => count > 0)
    },
    async stop() {
      stopped = true
      await lines
    },
  }
}
