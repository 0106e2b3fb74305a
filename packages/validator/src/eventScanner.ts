import { smaller } from '@assay/protocol'
import type { Hex } from 'viem'
import type { SigningRecord } from './signingRecord.ts'
import type { BlockId, ChainEvents, ValidatorChain } from './validatorChain.ts'

/** Blocks scanned again after the chain turned out to have lost some (a devnet killed between two snapshots). */
const REWIND = 64n

const back = (block: bigint, by: bigint) => (block > by ? block - by : 0n)

/**
 * Finds new events up to the safe block, each at least once, over restarts of this process and rollbacks of the chain.
 * What is durable is the *oldest block that still matters*; everything since is read again after a restart.
 */
export function eventScanner(parameters: {
  chain: Pick<ValidatorChain, 'block' | 'events'>
  record: Pick<SigningRecord, 'cursor' | 'setCursor'>
  deploymentId: Hex
  /** First block that can hold an event. */
  fromBlock: bigint
}) {
  const { chain, record, deploymentId } = parameters
  const atLeast = (block: bigint) => (block > parameters.fromBlock ? block : parameters.fromBlock)
  let next = atLeast(back(record.cursor(deploymentId) ?? 0n, REWIND))
  let last: BlockId | undefined

  async function rolledBack(safe: BlockId): Promise<boolean> {
    // Nothing is known of the chain yet; one that ends before what was read of it has lost blocks meanwhile.
    if (last === undefined) return next > safe.number
    if (safe.number < last.number) return true
    return (await chain.block(last.number)).hash !== last.hash
  }

  return {
    /** Events since the last call; asks again for a stretch that a rollback may have changed. */
    async scan(safe: BlockId): Promise<ChainEvents> {
      if (await rolledBack(safe)) {
        next = atLeast(back(smaller(safe.number, last?.number ?? safe.number), REWIND))
      }
      if (next > safe.number) return { batches: [], proposals: [], uncounted: [] }
      const events = await chain.events(next, safe.number)
      next = safe.number + 1n
      last = safe
      return events
    },
    /** @param oldestOpen block of the oldest event that is not settled yet; undefined where all are. */
    remember(oldestOpen: bigint | undefined): void {
      if (last === undefined) return
      const block = oldestOpen !== undefined && oldestOpen < last.number ? oldestOpen : last.number
      if (record.cursor(deploymentId) !== block) record.setCursor(deploymentId, block)
    },
  }
}
