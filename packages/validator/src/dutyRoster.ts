/** How many duties may be under way at once, and for one committer or node: a slow stranger must not block the rest. */
const MAX_AT_ONCE = 8
const MAX_PER_PARTY = 2
const FIRST_RETRY_MS = 500
/** Also how late a patience that has run out may be noticed. */
const LAST_RETRY_MS = 5_000

export type Duty = {
  id: string
  /** Whose server has to answer for it. */
  party: string
  /** Block of the event behind it; undefined where it is written down elsewhere and found without the event. */
  block: bigint | undefined
  /** Resolves to true when nothing is left to do. */
  run: () => Promise<boolean>
}

type Entry = Duty & { notBefore: number; failures: number; running: boolean }

/** Open duties, run a few at a time, each again and again until it says that it is done. */
export function dutyRoster(parameters: {
  onError: (duty: Duty, error: unknown) => void
  /** True ends the duty; by default an error is tried again. */
  isHopeless: (error: unknown) => boolean
}) {
  const entries = new Map<string, Entry>()
  const running = new Set<Promise<void>>()

  async function perform(entry: Entry): Promise<void> {
    try {
      if (await entry.run()) entries.delete(entry.id)
      entry.failures = 0
      entry.notBefore = 0
    } catch (error) {
      if (parameters.isHopeless(error)) entries.delete(entry.id)
      entry.notBefore = performance.now() + Math.min(FIRST_RETRY_MS * 2 ** entry.failures, LAST_RETRY_MS)
      entry.failures = Math.min(entry.failures + 1, 16)
      parameters.onError(entry, error)
    } finally {
      entry.running = false
      // To the end of the line: what waits for others for an hour must not keep its party's next from its turn.
      if (entries.delete(entry.id)) entries.set(entry.id, entry)
    }
  }

  return {
    add(duty: Duty): void {
      if (!entries.has(duty.id)) entries.set(duty.id, { ...duty, notBefore: 0, failures: 0, running: false })
    },
    /** Starts what may be started; does not wait for it. */
    start(): void {
      for (const entry of entries.values()) {
        if (running.size >= MAX_AT_ONCE) return
        if (entry.running || entry.notBefore > performance.now()) continue
        const busy = [...entries.values()].filter((other) => other.running && other.party === entry.party)
        if (busy.length >= MAX_PER_PARTY) continue
        entry.running = true
        const task = perform(entry).finally(() => running.delete(task))
        running.add(task)
      }
    },
    /** Block of the oldest open duty. */
    oldest(): bigint | undefined {
      let oldest: bigint | undefined
      for (const { block } of entries.values()) {
        if (block !== undefined && (oldest === undefined || block < oldest)) oldest = block
      }
      return oldest
    },
    get open(): number {
      return entries.size
    },
    /** Resolves when nothing is under way. */
    async idle(): Promise<void> {
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}
