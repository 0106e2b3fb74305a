import { readFileSync } from 'node:fs'
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
  const hours = file === undefined ? new Map<number, bigint>() : readHours(file)

  function spent(): bigint {
    const oldest = Math.floor(now() / HOUR_MS) - HOURS_KEPT
    let total = 0n
    for (const [hour, amount] of hours) {
      if (hour < oldest) hours.delete(hour)
      else total += amount
    }
    return total
  }

  function add(hour: number, amount: bigint): void {
    hours.set(hour, (hours.get(hour) ?? 0n) + amount)
    if (file !== undefined) writeDurably(file, hoursToJson(hours))
  }

  return {
    spent,
    reserve(most) {
      const before = spent()
      if (before + most > maxPerDay) {
        throw new SdkError('This call could exceed what may be spent in 24 hours.', {
          code: 'over_limit',
          facts: { quote: most, spentToday: before, maxPerDay },
          next: 'Wait, ask for fewer tokens, or raise the limit.',
        })
      }
      const hour = Math.floor(now() / HOUR_MS)
      add(hour, most)
      let open = true
      return {
        settle(price) {
          if (!open) return
          open = false
          // An hour that was forgotten meanwhile counts for nothing any more.
          if (hours.has(hour)) add(hour, price - most)
        },
      }
    },
  }
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

function unreadable(file: string, cause: unknown): SdkError {
  return new SdkError('What was spent today cannot be read, so nothing more is spent.', {
    code: 'over_limit',
    facts: { file },
    next: 'Restore the file; or remove it, and the count starts at nothing.',
    cause,
  })
}
