import type { AnswerName, endRequest, RequestWriter } from '@assay/store'
import type { Hex } from 'viem'
import type { Context } from '../context.ts'
import { unavailable } from '../http/unavailable.ts'
import { messageOf } from '../log.ts'

type State = Parameters<typeof endRequest>[2]

export type Endings = {
  /** Ends a request without a receipt and frees what was set aside for it; later, where the database is away. */
  end(requestId: Hex, state: State): Promise<void>
  /** Writes what is left to be written of a request, before its payment is claimed again. @throws where that fails */
  finish(requestId: Hex): Promise<void>
  /** Gives a client's name for its request back; later, where the database is away. */
  free(name: AnswerName): Promise<void>
  /** Ends and gives back what could not be before. @throws where the database is still away */
  catchUp(): Promise<void>
}

type Ending = { requestId: Hex; state: State; writing?: Promise<void> | undefined }

/**
 * Ends requests whose client was told that nothing is charged. What the client was told stays true while the database is
 * away: it is kept here until it can be written, and where this process dies before that, the others end the request.
 * No payment is claimed while its last ending is still to be written, or that could end the new request.
 */
export function createEndings({
  names,
  writer,
  ledger,
  log,
}: Pick<Context, 'names' | 'ledger' | 'log'> & { writer: RequestWriter }): Endings {
  const left = new Map<Hex, Ending>()
  const taken = new Set<AnswerName>()

  function write(ending: Ending): Promise<void> {
    const { requestId, state } = ending
    ending.writing ??= writer
      .end(requestId, state)
      .then(() => {
        if (left.get(requestId) === ending) left.delete(requestId)
      })
      .finally(() => {
        ending.writing = undefined
      })
    return ending.writing
  }
  /** What the database has against one statement does not hold up the others. @throws where it is away */
  async function unlessRefused(
    event: string,
    facts: { requestId?: Hex },
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (unavailable(error) !== undefined) throw error
      log(event, { ...facts, why: messageOf(error) })
    }
  }
  return {
    async end(requestId, state) {
      ledger.release(requestId)
      const before = left.get(requestId)
      const ending = before?.state === state ? before : { requestId, state }
      left.set(requestId, ending)
      try {
        await write(ending)
      } catch (error) {
        log('end_postponed', { requestId, why: messageOf(error) })
      }
    },
    async finish(requestId) {
      const ending = left.get(requestId)
      if (ending !== undefined) await write(ending)
    },
    async free(name) {
      taken.add(name)
      try {
        await names.free(name)
        taken.delete(name)
      } catch (error) {
        log('free_postponed', { why: messageOf(error) })
      }
    },
    async catchUp() {
      for (const name of [...taken]) {
        await unlessRefused('free_postponed', {}, async () => {
          await names.free(name)
          taken.delete(name)
        })
      }
      for (const ending of [...left.values()]) {
        const { requestId } = ending
        await unlessRefused('end_postponed', { requestId }, async () => {
          // Written meanwhile, the next claim of its payment is not to end with it.
          if (left.get(requestId) === ending) await write(ending)
        })
      }
    },
  }
}
