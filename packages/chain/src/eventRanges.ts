import type { PublicClient } from 'viem'
import { blockRanges } from './blockRanges.ts'

/** How far back events are looked for: at two seconds a block about three weeks, twice the unbonding time. */
const LOOK_BACK = 1_000_000n

/** First block from which events can still be asked for. */
export async function oldestAskedBlock(client: PublicClient): Promise<bigint> {
  const head = await client.getBlockNumber({ cacheTime: 0 })
  return head < LOOK_BACK ? 0n : head - LOOK_BACK
}

/** Everything from a block on, asked for in ranges that a provider serves, oldest first. @param until last block; the newest by default */
export async function inRanges<Found>(
  client: PublicClient,
  since: bigint,
  ask: (range: { fromBlock: bigint; toBlock: bigint }) => Promise<readonly Found[]>,
  until?: bigint | undefined,
): Promise<Found[]> {
  const found: Found[] = []
  for (const range of blockRanges(since, until ?? (await client.getBlockNumber({ cacheTime: 0 })))) {
    found.push(...(await ask(range)))
  }
  return found
}
