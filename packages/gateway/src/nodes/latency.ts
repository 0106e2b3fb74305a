/** Weight of the newest answer in the average. */
const NEWEST = 0.3
/** Time in which an average that no answer renews loses half of its say, ms: who was slow once is tried again. */
const HALF_LIFE_MS = 10_000

/** How long a node takes to its first byte: an exponentially weighted average that fades when nothing is asked. */
export type Latency = {
  /** Milliseconds; undefined before the first answer. */
  read(now: number): number | undefined
  observe(milliseconds: number, now: number): void
}

/** @param now of both calls: `performance.now()` */
export function createLatency(): Latency {
  let average: number | undefined
  let at = 0
  const read = (now: number): number | undefined =>
    average === undefined ? undefined : average * 2 ** (-(now - at) / HALF_LIFE_MS)
  return {
    read,
    observe(milliseconds, now) {
      average = average === undefined ? milliseconds : average + NEWEST * (milliseconds - average)
      at = now
    },
  }
}
