type Dispatcher = NonNullable<RequestInit['dispatcher']>

/** Longer than a gateway waits for the head of a node's answer, which a whole one has only at its end (docs/payments.md), milliseconds. */
const ANSWER_PATIENCE_MS = 620_000

/**
 * What makes Node's `fetch` wait as long for the head of an answer as a gateway does; by itself it gives up after five
 * minutes. The dispatcher that it would ask anyway is asked, whatever stands there, such as an HTTP proxy: one of the
 * `undici` package can be of another version than the one inside Node, and then neither understands the other. Empty
 * where the runtime has none, and its own patience holds.
 */
export function patience(headersTimeout = ANSWER_PATIENCE_MS): Pick<RequestInit, 'dispatcher'> {
  const asked = dispatcherOfFetch()
  if (asked === undefined) return {}
  const patient = Object.create(asked) as Dispatcher
  patient.dispatch = (options, handler) => asked.dispatch({ ...options, headersTimeout }, handler)
  return { dispatcher: patient }
}

/** Under the name of the interface that this runtime's `fetch` speaks: the first one until undici 7, the second in 8. */
function dispatcherOfFetch(): Dispatcher | undefined {
  const major = Number.parseInt(globalThis.process?.versions?.undici ?? '', 10)
  if (!(major >= 6 && major <= 8)) return undefined
  const name = Symbol.for(`undici.globalDispatcher.${major === 8 ? 2 : 1}`)
  return (globalThis as Record<symbol, unknown>)[name] as Dispatcher | undefined
}
