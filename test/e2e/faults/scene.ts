import type { Hex } from 'viem'
import type { Justice } from './justice.ts'
import type { Stage } from './stage.ts'

/** What became of a lie, and the requests whose payers' money it had touched. */
export type Outcome = { justice: Justice; requests: readonly Hex[] }

/** A lie on a running network, and what becomes of it. */
export type Scene = {
  /** One word, for the command line. */
  name: string
  title: string
  /** @throws Error where the lie does not end as it must */
  play(stage: Stage): Promise<Outcome>
}
