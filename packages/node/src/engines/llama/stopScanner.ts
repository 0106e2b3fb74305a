/**
 * Cuts a growing text at the first stop string. Text that might still turn out to be the beginning of one is held back,
 * so that no part of a stop string ever reaches the reader.
 * @param except how a text begins that no stop string cuts
 */
export function createStopScanner(
  stops: readonly string[],
  except?: string,
): {
  /** Adds text; returns what may go out now, and which stop text was met. */
  push: (text: string) => { text: string; stop: string | undefined }
  /** What is still held back when generation ends by itself. */
  flush: () => string
} {
  let held = ''
  /** Whether the text is one that is not cut; undefined while that is not known. */
  let isExempt = except === undefined ? false : undefined
  return {
    push(text) {
      held += text
      if (except !== undefined && isExempt === undefined) {
        if (held.length < except.length && except.startsWith(held)) return { text: '', stop: undefined }
        isExempt = held.startsWith(except)
      }
      if (isExempt) {
        const out = held
        held = ''
        return { text: out, stop: undefined }
      }
      let cut = -1
      let met: string | undefined
      for (const stop of stops) {
        const at = held.indexOf(stop)
        if (at === -1 || (cut !== -1 && at >= cut)) continue
        cut = at
        met = stop
      }
      if (met !== undefined) {
        const out = held.slice(0, cut)
        held = ''
        return { text: out, stop: met }
      }
      let keep = 0
      for (const stop of stops) {
        for (let length = Math.min(stop.length - 1, held.length); length > keep; length--) {
          if (held.endsWith(stop.slice(0, length))) keep = length
        }
      }
      const out = held.slice(0, held.length - keep)
      held = held.slice(held.length - keep)
      return { text: out, stop: undefined }
    },
    flush() {
      const out = held
      held = ''
      return out
    },
  }
}
