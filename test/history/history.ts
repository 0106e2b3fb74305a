/** What happened, in order: calls, answers and faults. Printed where a promise was broken. */
export type Event = {
  /** Milliseconds since the beginning. */
  at: number
  what: string
  requestId?: string | undefined
  detail?: string | undefined
}

export type History = {
  note(what: string, requestId?: string, detail?: string): void
  /** The events of a request, with every fault between its first and ten seconds after its last. */
  of(requestId: string): string
  size(): number
}

export function createHistory(): History {
  const events: Event[] = []
  const began = performance.now()
  const line = ({ at, what, requestId, detail }: Event) =>
    `${(at / 1000).toFixed(3).padStart(9)} s  ${[what, requestId, detail].filter(Boolean).join('  ')}`
  return {
    note(what, requestId, detail) {
      events.push({ at: performance.now() - began, what, requestId, detail })
    },
    of(requestId) {
      const own = events.filter((event) => event.requestId === requestId)
      const [first, last] = [own[0]?.at ?? 0, own.at(-1)?.at ?? Number.POSITIVE_INFINITY]
      const shown = events.filter(
        (event) =>
          event.requestId === requestId ||
          (event.requestId === undefined && event.at >= first - 1000 && event.at <= last + 10_000),
      )
      return shown.map(line).join('\n')
    },
    size: () => events.length,
  }
}
