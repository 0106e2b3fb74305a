import { unavailable } from './http/unavailable.ts'
import { messageOf } from './log.ts'

/** Writes of which clients were told that they are done, until the database has taken them. At most one of a key is left. */
export type LeftWrites<Key, What> = {
  /** Writes it now, or keeps it until it can be written. */
  write(key: Key, what: What): Promise<void>
  /** Writes what is left of a key, before anything that it would undo. @returns whether there was any @throws where that fails */
  finish(key: Key): Promise<boolean>
  /** Writes all that is left; what the database has against one does not hold up the others. @throws where it is away */
  catchUp(): Promise<void>
}

type Left<Key, What> = { key: Key; what: What; writing?: Promise<void> | undefined }

/** @param postponed told of each that has to wait */
export function createLeftWrites<Key, What>(
  put: (key: Key, what: What) => Promise<void>,
  postponed: (key: Key, why: string) => void,
): LeftWrites<Key, What> {
  const left = new Map<Key, Left<Key, What>>()

  /** Once, whoever asks for it meanwhile: a second would come after what waited for the first. */
  function written(one: Left<Key, What>): Promise<void> {
    one.writing ??= put(one.key, one.what)
      .then(() => {
        if (left.get(one.key) === one) left.delete(one.key)
      })
      .finally(() => {
        one.writing = undefined
      })
    return one.writing
  }
  return {
    async write(key, what) {
      const before = left.get(key)
      const one = before?.what === what ? before : { key, what }
      left.set(key, one)
      try {
        await written(one)
      } catch (error) {
        postponed(key, messageOf(error))
      }
    },
    async finish(key) {
      const one = left.get(key)
      if (one !== undefined) await written(one)
      return one !== undefined
    },
    async catchUp() {
      for (const one of [...left.values()]) {
        // Written meanwhile, and what waited for it has begun.
        if (left.get(one.key) !== one) continue
        try {
          await written(one)
        } catch (error) {
          if (unavailable(error) !== undefined) throw error
          postponed(one.key, messageOf(error))
        }
      }
    },
  }
}
