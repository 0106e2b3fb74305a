import type { endRequest, RequestWriter } from '@assay/store'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { createLeftWrites } from '../leftWrites.ts'

type State = Parameters<typeof endRequest>[2]

export type Endings = {
  /** Ends a request without a receipt and frees what was set aside for it; later, where the database is away. */
  end(requestId: Hex, state: State): Promise<void>
  /**
   * Writes what is left to be written of a request, before its payment or its name is taken again.
   * @returns whether there was anything @throws where that fails
   */
  finish(requestId: Hex): Promise<boolean>
  /** Ends what could not be before. @throws where the database is still away */
  catchUp(): Promise<void>
}

/**
 * Ends requests whose client was told that nothing is charged. What the client was told stays true while the database is
 * away: it is kept here until it can be written, and where this process dies before that, the others end the request.
 * No payment is claimed while its last ending is still to be written, or that could end the new request.
 */
export function createEndings({
  writer,
  ledger,
  log,
}: Pick<Context, 'ledger' | 'log'> & { writer: RequestWriter }): Endings {
  const { write, finish, catchUp } = createLeftWrites<Hex, State>(writer.end, (requestId, why) =>
    log('end_postponed', { requestId, why }),
  )
  return {
    async end(requestId, state) {
      ledger.release(requestId)
      await write(requestId, state)
    },
    finish,
    catchUp,
  }
}
