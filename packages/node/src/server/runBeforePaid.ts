import type { DialectError } from '@assay/protocol'
import type { Prepared, RunOptions, Usage } from '../engines/engine.ts'

/** Thrown where the chain says, beside the work, that nobody pays for it. Nothing was heard of the answer. */
export class UnpaidError extends Error {
  override readonly name = 'UnpaidError'
  readonly refusal: DialectError

  constructor(refusal: DialectError) {
    super('The payment does not hold.')
    this.refusal = refusal
  }
}

/** Why a request is not paid after all; undefined where it is. Never rejects. */
export type Outstanding = Promise<DialectError | undefined>

/** @throws UnpaidError */
export async function requirePaid(outstanding: Outstanding | undefined): Promise<void> {
  const refusal = await outstanding
  if (refusal !== undefined) throw new UnpaidError(refusal)
}

/**
 * Runs the engine beside the question to the chain. What it says is held back until its payment is known to hold, so that
 * nothing is given away; where it does not, the engine is stopped. @throws UnpaidError
 */
export async function runBeforePaid(
  prepared: Prepared,
  outstanding: Outstanding,
  { signal, emit }: RunOptions,
): Promise<Usage> {
  const stop = new AbortController()
  let held: Parameters<RunOptions['emit']>[] | undefined = []
  const paid = requirePaid(outstanding).then(() => {
    const events = held ?? []
    held = undefined
    for (const event of events) emit(...event)
  })
  paid.catch(() => stop.abort())
  const work = prepared.run({
    signal: AbortSignal.any([signal, stop.signal]),
    emit: (...event) => void (held === undefined ? emit(...event) : held.push(event)),
  })
  // The turn at the model is over when the engine is.
  await Promise.allSettled([paid, work])
  await paid
  return work
}
