import type { World } from './world.ts'

/** One line of the table: something that a client does on the running network. */
export type Row = {
  /** Package and registry, e.g. `openai (npm)`. */
  client: string
  /** Its version as it stands installed; undefined where it is not. */
  version: string | undefined
  /** How it reaches the network. */
  way: string
  /** What is done. */
  what: string
  /** Why it is not run, where it is not. */
  skip?: string | undefined
  run(world: World): Promise<void>
}
