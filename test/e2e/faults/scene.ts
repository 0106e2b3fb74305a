import type { Justice } from './justice.ts'
import type { Stage } from './stage.ts'

/** A lie on a running network, and what becomes of it. */
export type Scene = {
  /** One word, for the command line. */
  name: string
  title: string
  /** @throws Error where the lie does not end as it must */
  play(stage: Stage): Promise<Justice>
}
