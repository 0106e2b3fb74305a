/** Most items that one write carries. */
const MAX_GROUP = 256

/**
 * Turns many small durable writes into few: while one write is on its way, whatever arrives waits and goes together in
 * the next. Every caller's promise settles when *its* write is durable.
 * @param write must return one result per item, in order; if it throws, every item of that group fails.
 */
export function groupCommit<Item, Result>(
  write: (items: Item[]) => Promise<Result[]>,
): (item: Item) => Promise<Result> {
  type Waiting = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }
  let waiting: Waiting[] = []
  let busy = false

  async function drain(): Promise<void> {
    busy = true
    while (waiting.length > 0) {
      const group = waiting.slice(0, MAX_GROUP)
      waiting = waiting.slice(MAX_GROUP)
      try {
        const results = await write(group.map((entry) => entry.item))
        for (const [at, entry] of group.entries()) entry.resolve(results[at] as Result)
      } catch (error) {
        for (const entry of group) entry.reject(error)
      }
    }
    busy = false
  }

  return (item) =>
    new Promise<Result>((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!busy) void drain()
    })
}
