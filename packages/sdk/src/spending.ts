import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { writeDurably } from '@assay/chain'
import { SdkError } from './errors.ts'

/** What one call may cost, set aside before anything is signed for it. */
export type Reservation = {
  /**
   * Sets it right to what the receipt charges, 0 where nothing was sent. A reservation that is never settled stays
   * counted: its authorisation is out, and may be used until it lapses.
   */
  settle(price: bigint): void
}

/** A limit on what a wallet may spend. */
export type SpendingLimit = {
  /** Sets aside the most that a call may cost, OPG base units. @throws SdkError `over_limit` */
  reserve(most: bigint): Reservation
  /** Spent and set aside in the last 24 hours, OPG base units. */
  spent(): bigint
}

const HOUR_MS = 3_600_000
const HOURS_KEPT = 24
const MAX_FILE_BYTES = 64 * 1024

/**
 * A limit per day: the last 24 hours, not a calendar's, or twice as much could go around midnight. It counts by the
 * hour, and an hour is forgotten when all of it is older than a day. With a file the count is on disk before anything
 * is signed, so that a restart or a crash forgets nothing; one process at a time may use it.
 * @param maxPerDay OPG base units
 */
export function spendingLimit(parameters: {
  maxPerDay: bigint
  file?: string | undefined
  now?: (() => number) | undefined
}): SpendingLimit {
  const { maxPerDay, file, now = Date.now } = parameters
  const count = createCount(file, now)
  return {
    spent: count.spent,
    reserve(most) {
      const before = count.spent()
      if (before + most > maxPerDay) throw overLimit(most, before, maxPerDay)
      return count.setAside(most)
    },
  }
}

/**
 * The same limit for processes that come and go and run side by side, such as the servers that each assistant starts anew:
 * each counts in a file of its own, and together they spend no more. What one sets aside is on disk before it reads the
 * others, so that of two at once both may be refused, and never both be let through beyond the limit.
 * @param folder whose files are all counts
 */
export function sharedSpendingLimit(parameters: {
  maxPerDay: bigint
  folder: string
  now?: (() => number) | undefined
}): SpendingLimit {
  const { maxPerDay, folder, now = Date.now } = parameters
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const counts = () => readdirSync(folder).filter((name) => name.endsWith('.json'))
  for (const name of counts()) forgetOld(path.join(folder, name), now())
  const own = createCount(path.join(folder, `${randomUUID()}.json`), now)

  const spent = (): bigint =>
    counts().reduce((sum, name) => sum + spentLately(readHours(path.join(folder, name)), now()), 0n)
  return {
    spent,
    reserve(most) {
      const reservation = own.setAside(most)
      try {
        const all = spent()
        if (all <= maxPerDay) return reservation
        throw overLimit(most, all - most, maxPerDay)
      } catch (refused) {
        reservation.settle(0n)
        throw refused
      }
    },
  }
}

function overLimit(quote: bigint, spentToday: bigint, maxPerDay: bigint): SdkError {
  return new SdkError('This call could exceed what may be spent in 24 hours.', {
    code: 'over_limit',
    facts: { quote, spentToday, maxPerDay },
    next: 'Wait, ask for fewer tokens, or raise the limit.',
  })
}

/** What one process spent and set aside, by the hour; on disk where there is a file. */
function createCount(
  file: string | undefined,
  now: () => number,
): { spent(): bigint; setAside(most: bigint): Reservation } {
  const hours = file === undefined ? new Map<number, bigint>() : readHours(file)

  /** What could not be written is not counted either: a full disk must not use up the day. */
  function add(hour: number, amount: bigint): void {
    const sum = (hours.get(hour) ?? 0n) + amount
    if (file !== undefined) writeDurably(file, hoursToJson(new Map(hours).set(hour, sum)))
    hours.set(hour, sum)
  }

  return {
    spent: () => spentLately(hours, now()),
    setAside(most) {
      spentLately(hours, now())
      const hour = hourOf(now())
      try {
        add(hour, most)
      } catch (cause) {
        throw unwritable(file, cause)
      }
      let open = true
      return {
        settle(price) {
          if (!open) return
          open = false
          try {
            // An hour that was forgotten meanwhile counts for nothing any more.
            if (hours.has(hour)) add(hour, price - most)
          } catch {
            // It stays counted at its highest price, as what is never settled does: the answer behind it is good.
          }
        },
      }
    },
  }
}

function hourOf(milliseconds: number): number {
  return Math.floor(milliseconds / HOUR_MS)
}

/** The sum of the last 24 hours; hours before them are forgotten. */
function spentLately(hours: Map<number, bigint>, at: number): bigint {
  const oldest = hourOf(at) - HOURS_KEPT
  let total = 0n
  for (const [hour, amount] of hours) {
    if (hour < oldest) hours.delete(hour)
    else total += amount
  }
  return total
}

/** Removes a count that counts for nothing any more. Of a process that runs on, it comes back with its next call. */
function forgetOld(file: string, at: number): void {
  const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? at
  if (at - written < 2 * HOURS_KEPT * HOUR_MS) return
  if (spentLately(readHours(file), at) === 0n) rmSync(file, { force: true })
}

function hoursToJson(hours: ReadonlyMap<number, bigint>): string {
  return `${JSON.stringify({ hours: Object.fromEntries([...hours].map(([hour, amount]) => [hour, amount.toString()])) })}\n`
}

/** A file that cannot be read stops the spender: taking it for empty would lift the limit. */
function readHours(file: string): Map<number, bigint> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw unreadable(file, cause)
  }
  try {
    if (text.length > MAX_FILE_BYTES) throw new Error('it is too large')
    const { hours } = JSON.parse(text) as { hours: Record<string, unknown> }
    return new Map(
      Object.entries(hours).map(([hour, amount]) => {
        if (!/^[0-9]{1,9}$/.test(hour) || typeof amount !== 'string' || !/^[0-9]{1,39}$/.test(amount)) {
          throw new Error('an entry is not a count')
        }
        return [Number(hour), BigInt(amount)]
      }),
    )
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

function unwritable(file: string | undefined, cause: unknown): SdkError {
  return new SdkError('What is to be spent cannot be put on record, so it is not spent.', {
    code: 'over_limit',
    facts: { file, reason: (cause as NodeJS.ErrnoException).code ?? String(cause) },
    next: 'Look at the disk and the folder of the file.',
    cause,
  })
}

function unreadable(file: string, cause: unknown): SdkError {
  return new SdkError('What was spent today cannot be read, so nothing more is spent.', {
    code: 'over_limit',
    facts: { file },
    next: 'Restore the file; or remove it, and the count starts at nothing.',
    cause,
  })
}
