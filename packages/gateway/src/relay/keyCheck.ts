import { MODE, type Receipt } from '@assay/protocol'
import type { GatewayChain } from '../chain/gatewayChain.ts'

/** Age up to which an answer of the chain is used again, ms: a revocation is seen within a block. */
const FRESH_MS = 1000
const MAX_KEPT = 1024

/**
 * Whether the chain lets a key sign a receipt: key, hardware, root and measurement, all as of its `issuedAt`. Answers of one
 * second share a read. While the chain does not answer, what it said last of the key counts, for validators judge it again.
 */
export function createKeyCheck(
  chain: Pick<GatewayChain, 'keyCounts'>,
): (receipt: Receipt) => Promise<boolean> {
  const answers = new Map<string, { at: number; value: Promise<boolean> }>()
  const last = new Map<string, boolean>()
  return ({ key, node, engineClass, mode, issuedAt }) => {
    const bonded = mode === MODE.bonded
    const who = `${key} ${node} ${engineClass} ${bonded}`
    const question = `${who} ${issuedAt}`
    const known = answers.get(question)
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.value
    // Old ones are of no use any more, and nobody may fill the memory with keys.
    if (answers.size >= MAX_KEPT) answers.clear()
    if (last.size >= MAX_KEPT) last.clear()
    const value = chain.keyCounts({ key, node, engineClass, bonded, at: issuedAt }).then(
      (counts) => {
        last.set(who, counts)
        return counts
      },
      () => last.get(who) ?? true,
    )
    answers.set(question, { at: performance.now(), value })
    return value
  }
}
