import type { Address } from 'viem'
import type { Bond, GatewayChain } from '../chain/gatewayChain.ts'
import { type Log, messageOf } from '../log.ts'
import type { InferenceNode } from './inferenceNode.ts'

/** `ENGINE_CLASS.unattested`: its key is a bonded one. */
const UNATTESTED = 2

/** What the chain says of who stands behind an answer, from memory: no request waits for a read. */
export type Standing = {
  /** What an operator's bond covers, and what open batches have reserved of it; undefined before the first read. */
  bond(operator: Address): Bond | undefined
  /** What validators lose who make a false receipt of an enclave final, OPG base units. */
  quorumAtStake(): bigint
  /** Reads everything again now. */
  refresh(): Promise<void>
  close(): void
}

type StandingChain = Pick<GatewayChain, 'bonds' | 'quorumAtStake' | 'keyCounts'>

/** Reads what the chain says of these nodes and this gateway, and again every so often. While it is away the last word counts. */
export async function createStanding(
  chain: StandingChain,
  {
    committer,
    nodes,
    everyMs,
    log,
  }: {
    committer: Address
    nodes: () => readonly InferenceNode[]
    /** Milliseconds between two reads. */
    everyMs: number
    log: Log
  },
): Promise<Standing> {
  let bonds: ReadonlyMap<Address, Bond> = new Map()
  let quorum = 0n

  async function refresh(): Promise<void> {
    try {
      const operators = [...new Set([committer, ...nodes().map(({ operator }) => operator)])]
      const read = await Promise.all([chain.bonds(operators), chain.quorumAtStake()])
      bonds = read[0]
      quorum = read[1]
      await Promise.all(nodes().map((node) => judgeKeys(chain, node)))
    } catch (error) {
      log('standing_unread', { why: messageOf(error) })
    }
  }

  let reading = false
  async function turn(): Promise<void> {
    if (reading) return
    reading = true
    await refresh()
    reading = false
  }
  await turn()
  const timer = setInterval(() => void turn(), everyMs)
  timer.unref()
  return {
    bond: (operator) => bonds.get(operator),
    quorumAtStake: () => quorum,
    refresh,
    close: () => clearInterval(timer),
  }
}

/** Notes which of a node's keys the chain would not let sign now. The receipt is checked all the same. */
async function judgeKeys(chain: StandingChain, node: InferenceNode): Promise<void> {
  const at = BigInt(Math.floor(Date.now() / 1000))
  const questions = new Map<string, { key: Address; engineClass: number }>()
  for (const { key, engineClass } of node.offers.values()) {
    if (key !== undefined && engineClass !== undefined)
      questions.set(`${key} ${engineClass}`, { key, engineClass })
  }
  const judged = await Promise.all(
    [...questions.values()].map(async ({ key, engineClass }) => {
      const bonded = engineClass === UNATTESTED
      return { key, good: await chain.keyCounts({ key, node: node.operator, engineClass, bonded, at }) }
    }),
  )
  node.badKeys = new Set(judged.filter(({ good }) => !good).map(({ key }) => key))
}
