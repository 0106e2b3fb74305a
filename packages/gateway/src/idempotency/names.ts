import type { AnswerName, AnswerNames } from '@assay/store'
import { createLeftWrites } from '../leftWrites.ts'
import type { Log } from '../log.ts'
import type { Endings } from '../relay/endings.ts'

export type Names = AnswerNames & {
  /** Gives back what could not be before. @throws where the database is still away */
  catchUp(): Promise<void>
}

/**
 * Clients' names for their requests. A name whose request was refused is given back; where the database is away it is
 * later, and at the latest when the name is taken again, as is the ending of the request that had it: who was told to try
 * again is not to find its own request in the way.
 */
export function createNames({
  kept,
  endings,
  log,
}: {
  kept: AnswerNames
  endings: Pick<Endings, 'finish'>
  log: Log
}): Names {
  const freed = createLeftWrites<string, AnswerName>(
    (_, name) => kept.free(name),
    (_, why) => log('free_postponed', { why }),
  )
  return {
    ...kept,
    async take(name, request) {
      await freed.finish(keyOf(name))
      const found = await kept.take(name, request)
      if (found.what !== 'running' || found.requestId === undefined) return found
      return (await endings.finish(found.requestId)) ? kept.take(name, request) : found
    },
    free: (name) => freed.write(keyOf(name), name),
    catchUp: freed.catchUp,
  }
}

/** A scope is written by us and has no space in it. */
function keyOf({ scope, id }: AnswerName): string {
  return `${scope} ${id}`
}
