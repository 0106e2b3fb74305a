import type { Database, NewRequest, RequestWriter } from '@assay/store'
import type { Endings } from '../relay/endings.ts'

/** Claims that wait for so long, milliseconds, are those of a database that is away or has too much to do. */
const SLOW_MS = 100

/** A call whose payment is to be its own. */
export type NewClaim = Omit<NewRequest, 'instance'>

export type Claims = {
  /** Claims the payment for this request; false if it is in use or was used. */
  claim(request: NewClaim): Promise<boolean>
  /**
   * Whether a node may begin before the claim of its request is there, so that the answer does not wait for the way to a
   * server: while the last one was written and none waits for long. So nodes hear no more of an outage than its first
   * moment, and of payments that were used already, which everybody finds on the chain, no more than of good ones.
   */
  mayFollow(): boolean
}

export function createClaims({
  database,
  writer,
  endings,
  instance,
}: {
  database: Pick<Database, 'engine'>
  writer: Pick<RequestWriter, 'claim'>
  endings: Pick<Endings, 'finish'>
  instance: string
}): Claims {
  /** Since when each of those under way waits, in their order, `performance.now()`. */
  const waiting = new Map<NewClaim, number>()
  // What is written in front of the embedded database is written when it has been asked for.
  const hasWay = database.engine === 'postgres'
  let isWritten = false
  return {
    async claim(request) {
      waiting.set(request, performance.now())
      try {
        await endings.finish(request.requestId)
        const claimed = await writer.claim({ ...request, instance })
        isWritten = claimed
        return claimed
      } catch (error) {
        isWritten = false
        throw error
      } finally {
        waiting.delete(request)
      }
    },
    mayFollow() {
      const [oldest = Number.POSITIVE_INFINITY] = waiting.values()
      return hasWay && isWritten && performance.now() - oldest < SLOW_MS
    },
  }
}
