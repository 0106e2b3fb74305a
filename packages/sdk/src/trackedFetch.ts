import { AsyncLocalStorage } from 'node:async_hooks'
import { formatOpg, type Network } from '@assay/protocol'
import type { VerifiedAnswer } from './answer.ts'
import { type AssayFetchOptions, networkOf } from './assayFetch.ts'
import { dropInFetch } from './dropInFetch.ts'
import { mustBeOptions } from './parameters.ts'
import { createVerifiedFetch } from './verifiedFetch.ts'

/** What a framework's own result says of the proof behind it: plain JSON. */
export type AssayMetadata = {
  verified: true
  requestId: string
  /** In words, e.g. `0.0002 OPG`. */
  price: string
  trust: string
}

/** A call of a framework, and the answer that it got. */
export type TrackedCall = { answer?: VerifiedAnswer }

/**
 * A paying, verifying `fetch` for a framework that hands no call's context to its fetch: which answer belongs to which
 * call is known by the asynchronous context in which it was made, also where many run at once.
 */
export function trackedFetch(options: AssayFetchOptions): {
  network: Network
  fetch: typeof globalThis.fetch
  /** Runs a call of the framework so that its answer is put down in `call`. */
  track<Result>(call: TrackedCall, work: () => Result): Result
  /** The call under way here. */
  current(): TrackedCall | undefined
} {
  mustBeOptions(options)
  const network = networkOf(options)
  const verified = createVerifiedFetch({ ...options, network })
  const calls = new AsyncLocalStorage<TrackedCall>()
  return {
    network,
    fetch(input, init) {
      const call = calls.getStore()
      const onAnswer = (answer: VerifiedAnswer) => {
        if (call !== undefined) call.answer = answer
        options.onAnswer?.(answer)
      }
      return dropInFetch(verified, { onAnswer, onUnverified: options.onUnverified })(input, init)
    },
    track: (call, work) => calls.run(call, work),
    current: () => calls.getStore(),
  }
}

/** Undefined where no answer was verified, and then there is none. */
export function metadataOf(call: TrackedCall | undefined): AssayMetadata | undefined {
  if (call?.answer === undefined) return undefined
  const { bundle, report } = call.answer
  const { requestId, price } = bundle.receipt
  return { verified: true, requestId, price: formatOpg(price), trust: report.trust }
}
