/** Blocks whose events are asked for at once; most providers allow 10,000. */
const MAX_RANGE = 5_000n

/** Stretches of blocks that cover `from` to `to`, both inclusive, each small enough to be asked about at once. */
export function* blockRanges(from: bigint, to: bigint): Generator<{ fromBlock: bigint; toBlock: bigint }> {
  for (let fromBlock = from; fromBlock <= to; fromBlock += MAX_RANGE) {
    const end = fromBlock + MAX_RANGE - 1n
    yield { fromBlock, toBlock: end < to ? end : to }
  }
}
