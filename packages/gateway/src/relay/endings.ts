import { type AnswerName, type endRequest, freeAnswerName, type RequestWriter } from '@assay/store'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { messageOf } from '../log.ts'

type State = Parameters<typeof endRequest>[2]

export type Endings = {
  /** Ends a request without a receipt and frees what was set aside for it; later, where the database is away. */
  end(requestId: Hex, state: State): Promise<void>
  /** Gives a client's name for its request back; later, where the database is away. */
  free(name: AnswerName): Promise<void>
  /** Ends and gives back what could not be before. */
  catchUp(): Promise<void>
}

/**
 * Ends requests whose client was told that nothing is charged. What the client was told stays true while the database is
 * away: it is kept here until it can be written, and where this process dies before that, the others end the request.
 */
export function createEndings({
  database,
  writer,
  ledger,
  inFlight,
  log,
}: Pick<Context, 'database' | 'ledger' | 'inFlight' | 'log'> & { writer: RequestWriter }): Endings {
  const left = new Map<Hex, State>()
  const taken = new Set<AnswerName>()
  return {
    async end(requestId, state) {
      ledger.release(requestId)
      left.set(requestId, state)
      try {
        await writer.end(requestId, state)
        left.delete(requestId)
      } catch (error) {
        log('end_postponed', { requestId, why: messageOf(error) })
      }
    },
    async free(name) {
      taken.add(name)
      try {
        await freeAnswerName(database, name)
        taken.delete(name)
      } catch (error) {
        log('free_postponed', { why: messageOf(error) })
      }
    },
    async catchUp() {
      for (const name of taken) {
        await freeAnswerName(database, name)
        taken.delete(name)
      }
      for (const [requestId, state] of left) {
        // Its payment was sent again and is at work.
        if (inFlight.has(requestId)) continue
        await writer.end(requestId, state)
        left.delete(requestId)
      }
    },
  }
}
